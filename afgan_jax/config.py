"""Checks, compares and stores configurations.

Imports nothing that takes long: flags are checked with it.
"""

import hashlib
import json
import math
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.errors import UsageError

CHOICES = {
  'dtype': ('float32', 'bfloat16'),
  'data.placement': ('host', 'device'),
  'generator.fusion': ('aff', 'concat', 'none'),
  'generator.aff_gate': ('sigmoid', 'product'),
  'augmentation.kind': ('cut_paste', 'random_erasing', 'none', 'mixture'),
  'score.image': ('paper', 'max', 'top_k'),
  'score.map': (
    'residual',
    'smoothed_residual',
    'gradient_similarity',
    'mix',
    'segmentation',
  ),
  'predict.overlay': ('jpeg', 'png', 'none'),
}
# Fields that hold several of these.
SUBSETS = {
  'augmentation.mixture.shapes': ('blob', 'scar', 'rectangle'),
  'augmentation.mixture.contents': (
    'patch',
    'displaced',
    'color',
    'noise',
    'light',
    'blur',
  ),
}
IMAGE_SIZES = (16, 32, 64, 128, 256, 512, 1024)

# Fields and groups that may change when a run goes on: trained weights do not
# depend on them, or, with `num_epochs` and `data.path`, the user means them to.
_FREE = (
  'num_epochs',
  'num_steps',
  'data.path',
  'score',
  'calibration.false_reject_rate',
  'metrics',
  'predict',
  'log',
  'checkpoint',
  'benchmark',
)


def flatten(config: ConfigDict) -> dict[str, Any]:
  """Returns all fields by their dotted names, as JSON would give them back."""
  flat = {}

  def visit(prefix: str, node: Any) -> None:
    if isinstance(node, dict):
      for name, value in node.items():
        visit(f'{prefix}.{name}' if prefix else name, value)
    else:
      flat[prefix] = node

  visit('', json.loads(to_json(config)))
  return flat


def to_json(config: ConfigDict) -> str:
  """Writes a configuration as JSON."""
  return json.dumps(config.to_dict(), indent=2, sort_keys=True)


def digest(config: ConfigDict) -> str:
  """Returns 16 hexadecimal digits that name the configuration."""
  return hashlib.sha256(to_json(config).encode()).hexdigest()[:16]


def num_steps(config: ConfigDict, num_images: int) -> int:
  """Returns the length of training in steps."""
  if config.num_steps:
    return config.num_steps
  return config.num_epochs * steps_per_epoch(config, num_images)


def steps_per_epoch(config: ConfigDict, num_images: int) -> int:
  """Returns round(images / batch), at least 1."""
  return max(1, round(num_images / config.batch_size))


def check_continues(stored: ConfigDict, given: ConfigDict) -> None:
  """Refuses a configuration that cannot go on from a checkpoint.

  Args:
    stored: with which the checkpoint was written.
    given: with which to go on, or to evaluate.

  Raises:
    UsageError: a field differs that the weights depend on.
  """
  old, new = flatten(stored), flatten(given)
  changed = [
    f'config.{name} (was {old[name]!r}, is {new.get(name)!r})'
    # A field that the checkpoint does not know was added since, and its
    # default does what was done before.
    for name in sorted(old)
    if old[name] != new.get(name)
    and not any(name == free or name.startswith(free + '.') for free in _FREE)
  ]
  if changed:
    raise UsageError(
      'The weights in this workdir depend on other values of '
      f'{", ".join(changed)}: set them back, or take another --workdir.'
    )


def validate(config: ConfigDict, num_devices: int) -> None:
  """Checks all fields that do not concern where images come from.

  Args:
    config: see `configs/default.py`.
    num_devices: among which each batch is divided.

  Raises:
    UsageError: a value cannot be used; the message says which can.
  """
  flat = flatten(config)
  for name in (*CHOICES, *_POSITIVE, *_RANGES, *SUBSETS, *_PAIRS):
    if name not in flat:
      raise UsageError(
        f'The config has no field config.{name}, which came after it was '
        'stored: give the --config of the run besides.'
      )
  for name, choices in CHOICES.items():
    _check(flat[name] in choices, name, flat[name], f'one of {choices}')
  _check(
    config.image_size in IMAGE_SIZES,
    'image_size',
    config.image_size,
    f'one of {IMAGE_SIZES}, since every level of the networks halves it',
  )
  _check(
    config.batch_size > 0 and config.batch_size % num_devices == 0,
    'batch_size',
    config.batch_size,
    f'a multiple of {num_devices}, the number of devices that share it',
  )
  _check_benchmark(flat, num_devices)
  for name in _POSITIVE:
    _check(flat[name] > 0, name, flat[name], 'greater than 0')
  for name, limits in _RANGES.items():
    low, high = limits
    wanted = f'at least {low}' if high == math.inf else f'from {low} to {high}'
    _check(low <= flat[name] <= high, name, flat[name], wanted)
  for name, choices in SUBSETS.items():
    value = flat[name]
    _check(
      bool(value) and set(value) <= set(choices),
      name,
      value,
      f'one or more of {choices}',
    )
  _check_extensions(config)
  for name, top in _PAIRS.items():
    value = flat[name]
    _check(
      len(value) == 2 and 0 < value[0] <= value[1] <= top,
      name,
      value,
      f'two numbers, the smaller first, above 0 and up to {top}',
    )


def _check_extensions(config: ConfigDict) -> None:
  """Checks what is not the paper's and goes only with something else."""
  if config.score.map == 'segmentation' and not config.loss.segmentation_weight:
    raise UsageError(
      "config.score.map is 'segmentation', but there is no segmentation head: "
      'train with config.loss.segmentation_weight above 0, or take another map.'
    )
  loss = config.loss
  if (
    config.score.image == 'paper'
    and config.score.gamma < 1
    and not loss.adversarial_weight
    and not loss.latent_weight
  ):
    raise UsageError(
      f'config.score.gamma is {config.score.gamma}, but without '
      'config.loss.adversarial_weight and config.loss.latent_weight no '
      'discriminator is trained, whose latent error counts for the rest: set '
      'it to 1, or take another config.score.image.'
    )
  varied = config.variation.to_dict()
  still = dict.fromkeys(varied, 0) | {'scale': (1, 1)}
  varied['scale'] = tuple(varied['scale'])
  if config.data.placement == 'host' and (
    config.augmentation.kind == 'mixture' or varied != still
  ):
    raise UsageError(
      "config.data.placement is 'host', where tf.data makes the paper's "
      "augmentations alone: config.augmentation.kind='mixture' and "
      "config.variation need 'device'."
    )


def _check_benchmark(flat: dict[str, Any], num_devices: int) -> None:
  # Configs that were stored before these fields came do without.
  counts = flat.get('benchmark.device_counts', [])
  _check(
    all(isinstance(n, int) and 0 < n <= num_devices for n in counts),
    'benchmark.device_counts',
    counts,
    f'whole numbers from 1 to {num_devices}, the number of devices',
  )
  shares = counts or [num_devices]
  sizes = flat.get('benchmark.batch_sizes', [])
  _check(
    all(
      isinstance(n, int) and n > 0 and all(n % share == 0 for share in shares)
      for n in sizes
    ),
    'benchmark.batch_sizes',
    sizes,
    f'multiples of {shares}, the numbers of devices that share a batch',
  )
  num_images = flat.get('benchmark.num_images', 1)
  _check(num_images > 0, 'benchmark.num_images', num_images, 'greater than 0')
  for count in counts:
    _check(
      bool(sizes) or flat['batch_size'] % count == 0,
      'batch_size',
      flat['batch_size'],
      f'a multiple of {count}, one of config.benchmark.device_counts',
    )


_POSITIVE = (
  'num_epochs',
  'score.batch_size',
  'score.top_k',
  'generator.base_features',
  'generator.max_features',
  'generator.aff_reduction',
  'discriminator.base_features',
  'discriminator.max_features',
  'discriminator.latent_features',
  'segmentation.base_features',
  'segmentation.max_features',
  'segmentation.num_levels',
  'augmentation.mixture.max_defects',
  'norm.epsilon',
  'optimizer.learning_rate',
  'log.every_steps',
  'checkpoint.every_epochs',
  'checkpoint.max_to_keep',
  'benchmark.num_steps',
)
_RANGES = {
  'num_steps': (0, math.inf),
  'seed': (0, 2**31 - 1),
  'norm.momentum': (0, 1),
  'augmentation.probability': (0, 1),
  'augmentation.rotation': (0, 180),
  'augmentation.color_jitter': (0, 1),
  'augmentation.mixture.seamless': (0, 1),
  'augmentation.mixture.on_object': (0, 1),
  'variation.rotation': (0, 180),
  'variation.shift': (0, 1),
  'variation.brightness': (0, 1),
  'variation.contrast': (0, 1),
  'segmentation.focus': (0, 10),
  'loss.adversarial_weight': (0, math.inf),
  'loss.reconstruction_weight': (0, math.inf),
  'loss.latent_weight': (0, math.inf),
  'loss.ssim_weight': (0, math.inf),
  'loss.segmentation_weight': (0, math.inf),
  'optimizer.beta1': (0, 1),
  'optimizer.beta2': (0, 1),
  'optimizer.decay_steps': (0, math.inf),
  'optimizer.average': (0, 0.999999),
  'score.gamma': (0, 1),
  'score.smoothing': (0, 0.25),
  'metrics.pixel_size': (0, 4096),
  'calibration.fraction': (0, 0.9),
  'calibration.false_reject_rate': (1e-6, 0.5),
}
_PAIRS = {
  'augmentation.area_ratio': 1,
  'augmentation.aspect_ratio': 100,
  'augmentation.scale': 10,
  'augmentation.mixture.radius': 0.5,
  'augmentation.mixture.opacity': 1,
  'variation.scale': 10,
}


def _check(good: bool, name: str, value: Any, wanted: str) -> None:
  if not good:
    raise UsageError(f'config.{name} is {value!r}: it must be {wanted}.')

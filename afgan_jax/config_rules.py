"""Which values a configuration may have.

Imports nothing that takes long: flags are checked with it.
"""

import math
import re
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config import flatten, has_game, has_segmentation_head
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
SIZES = (16, 32, 64, 128, 256, 512, 1024)
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


def validate(config: ConfigDict, num_devices: int) -> None:
  """Checks all fields that do not concern where images come from.

  Args:
    config: see `configs/default.py`.
    num_devices: among which each batch is divided.

  Raises:
    UsageError: a value cannot be used; the message says which can.
  """
  flat = flatten(config)
  _check_values(flat)
  _check(
    config.image_size in SIZES,
    'image_size',
    config.image_size,
    f'one of {SIZES}, since every level of the networks halves it',
  )
  sizes = tuple(size for size in SIZES if size <= config.image_size)
  _check(
    config.tile_size in sizes,
    'tile_size',
    config.tile_size,
    f'one of {sizes}, up to config.image_size',
  )
  _check(
    config.batch_size > 0 and config.batch_size % num_devices == 0,
    'batch_size',
    config.batch_size,
    f'a multiple of {num_devices}, the number of devices that share it',
  )
  _check_later_fields(flat)
  _check_benchmark(flat, num_devices)
  _check_extensions(config)


def _check_later_fields(flat: dict[str, Any]) -> None:
  """Checks what configs do without that were stored before it came."""
  window = flat.get('data.window', (1, 1))
  _check(
    _are_two_numbers(window) and all(0 < share <= 2 for share in window),
    'data.window',
    window,
    'two numbers above 0 and up to 2, across the object and along it',
  )
  white = flat.get('data.white', 0)
  _check(white >= 0, 'data.white', white, 'at least 0')
  cache = flat.get('data.cache_gib', 0)
  _check(0 <= cache < math.inf, 'data.cache_gib', cache, 'at least 0')
  max_pixels = flat.get('data.max_pixels', 1)
  _check(max_pixels > 0, 'data.max_pixels', max_pixels, 'greater than 0')
  fraction = flat.get('data.test_fraction', 0)
  _check(0 <= fraction < 1, 'data.test_fraction', fraction, 'from 0 to below 1')
  part = flat.get('data.part', '')
  _check(
    _is_pattern(part),
    'data.part',
    part,
    r"a regular expression, for example 'part(\d+)'",
  )


def _check_values(flat: dict[str, Any]) -> None:
  """Checks each field by itself."""
  for name in (*CHOICES, *_POSITIVE, *_RANGES, *SUBSETS, *_PAIRS):
    if name not in flat:
      raise UsageError(
        f'The config has no field config.{name}: let get_config begin with '
        'that of configs/default.py, or, where the workdir is older than the '
        'field, give the --config of the run besides.'
      )
  for name, choices in CHOICES.items():
    _check(flat[name] in choices, name, flat[name], f'one of {choices}')
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
  for name, top in _PAIRS.items():
    value = flat[name]
    _check(
      _are_two_numbers(value) and 0 < value[0] <= value[1] <= top,
      name,
      value,
      f'two numbers, the smaller first, above 0 and up to {top}',
    )


def _check_extensions(config: ConfigDict) -> None:
  """Checks what is not the paper's and goes only with something else."""
  if config.score.map == 'segmentation' and not has_segmentation_head(config):
    raise UsageError(
      "config.score.map is 'segmentation', but there is no segmentation head: "
      'train with config.loss.segmentation_weight above 0, or take another map.'
    )
  paper = config.score.image == 'paper'
  if paper and config.score.gamma < 1 and not has_game(config):
    raise UsageError(
      f'config.score.gamma is {config.score.gamma}, but without '
      'config.loss.adversarial_weight and config.loss.latent_weight no '
      'discriminator is trained, whose latent error counts for the rest: set '
      'config.score.gamma to 1, or take another config.score.image.'
    )
  varied = config.variation.to_dict()
  still = dict.fromkeys(varied, 0) | {'scale': (1, 1)}
  varied['scale'] = tuple(varied['scale'])
  if config.data.placement == 'host' and (
    config.augmentation.kind == 'mixture'
    or varied != still
    or config.tile_size != config.image_size
  ):
    raise UsageError(
      "config.data.placement is 'host', where tf.data makes the paper's "
      'augmentations of whole images alone: config.augmentation.kind='
      "'mixture', config.variation and a config.tile_size below "
      "config.image_size need 'device'."
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


def _are_two_numbers(value: Any) -> bool:
  return len(value) == 2 and all(isinstance(x, int | float) for x in value)


def _is_pattern(value: Any) -> bool:
  try:
    re.compile(value)
  except (re.error, TypeError):
    return False
  return True


def _check(good: bool, name: str, value: Any, wanted: str) -> None:
  if not good:
    raise UsageError(f'config.{name} is {value!r}: it must be {wanted}.')

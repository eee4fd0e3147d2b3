"""Which values a configuration may have.

Imports nothing that takes long: flags are checked with it.
"""

import math
import re
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head, trains_discriminator
from afgan_jax.config.schema import (
  CHOICES,
  PAIRS,
  POSITIVE,
  RANGES,
  SIZES,
  SUBSETS,
)
from afgan_jax.config.store import flatten
from afgan_jax.system.errors import UsageError


def check_config(config: ConfigDict, num_devices: int) -> None:
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
  size = flat.get('norm.group_size', 2)
  _check(size > 1, 'norm.group_size', size, 'greater than 1')
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
  for name in (*CHOICES, *POSITIVE, *RANGES, *SUBSETS, *PAIRS):
    if name not in flat:
      raise UsageError(
        f'The config has no field config.{name}: let get_config begin with '
        'that of configs/default.py, or, where the workdir is older than the '
        'field, give the --config of the run besides.'
      )
  for name, choices in CHOICES.items():
    _check(flat[name] in choices, name, flat[name], f'one of {choices}')
  for name in POSITIVE:
    _check(flat[name] > 0, name, flat[name], 'greater than 0')
  for name, limits in RANGES.items():
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
  for name, top in PAIRS.items():
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
  if paper and config.score.gamma < 1 and not trains_discriminator(config):
    raise UsageError(
      f'config.score.gamma is {config.score.gamma}, but without '
      'config.loss.adversarial_weight and config.loss.latent_weight no '
      'discriminator is trained, whose latent error counts for the rest: set '
      'config.score.gamma to 1, or take another config.score.image.'
    )
  _check_groups(config)
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


def _check_groups(config: ConfigDict) -> None:
  """Refuses group norms that would leave nothing of AFF's global branch."""
  generator = config.generator
  if generator.aff_norm != 'group' or generator.fusion != 'aff':
    return
  widths = {
    min(generator.base_features * 2**level, generator.max_features)
    # The innermost level, log2 of the size the last one, has no fusion.
    for level in range(config.tile_size.bit_length() - 2)
  }
  for width in sorted(widths):
    bottleneck = max(width // generator.aff_reduction, 1)
    if math.gcd(config.norm.group_size, bottleneck) == 1:
      raise UsageError(
        f"config.generator.aff_norm is 'group', and of {width} features a "
        f'fusion leaves {bottleneck} (config.generator.aff_reduction), which '
        f'config.norm.group_size={config.norm.group_size} puts into groups of '
        'one: each would be its own mean, and nothing left of it. Let both, '
        'what a fusion leaves and group_size, be even.'
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

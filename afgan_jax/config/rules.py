"""Checks a configuration: each field by itself, then fields together.

Imports nothing that takes long: flags are checked with it.
"""

import math
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head, trains_discriminator
from afgan_jax.config.schema import FIELDS, SIZES
from afgan_jax.config.store import flatten
from afgan_jax.system.errors import UsageError


def check_config(config: ConfigDict, num_devices: int) -> None:
  """Checks every field, but not whether there are images where it says.

  Args:
    config: see `configs/default.py`; of a stored one, see `from_stored`.
    num_devices: among which each batch is divided.

  Raises:
    UsageError: a value cannot be used; the message says which can.
  """
  _check_fields(flatten(config))
  _check_tile_size(config)
  _check_batch_size(config, num_devices)
  _check_benchmark(config, num_devices)
  _check_segmentation_map(config)
  _check_latent_score(config)
  _check_groups(config)
  _check_placement(config)


def _check_fields(flat: dict[str, Any]) -> None:
  """Checks each field by itself, as the table of the schema says."""
  for name in FIELDS:
    if name not in flat:
      raise UsageError(
        f'The config has no field config.{name}: let get_config begin with '
        'that of configs/default.py.'
      )
  for name, field in FIELDS.items():
    _check(
      field.allowed.accepts(flat[name]), name, flat[name], field.allowed.wanted
    )


def _check_tile_size(config: ConfigDict) -> None:
  sizes = tuple(size for size in SIZES if size <= config.image_size)
  _check(
    config.tile_size in sizes,
    'tile_size',
    config.tile_size,
    f'one of {sizes}, up to config.image_size',
  )


def _check_batch_size(config: ConfigDict, num_devices: int) -> None:
  _check(
    config.batch_size % num_devices == 0,
    'batch_size',
    config.batch_size,
    f'a multiple of {num_devices}, the number of devices that share it',
  )


def _check_benchmark(config: ConfigDict, num_devices: int) -> None:
  """Checks that each number of devices exists and can share each batch."""
  counts = list(config.benchmark.device_counts)
  sizes = list(config.benchmark.batch_sizes)
  _check(
    all(count <= num_devices for count in counts),
    'benchmark.device_counts',
    counts,
    f'whole numbers from 1 to {num_devices}, the number of devices',
  )
  shares = counts or [num_devices]
  _check(
    all(size % share == 0 for size in sizes for share in shares),
    'benchmark.batch_sizes',
    sizes,
    f'multiples of {shares}, the numbers of devices that share a batch',
  )
  if not sizes:
    for count in counts:
      _check(
        config.batch_size % count == 0,
        'batch_size',
        config.batch_size,
        f'a multiple of {count}, one of config.benchmark.device_counts',
      )


def _check_segmentation_map(config: ConfigDict) -> None:
  if config.score.map == 'segmentation' and not has_segmentation_head(config):
    raise UsageError(
      "config.score.map is 'segmentation', but there is no segmentation head: "
      'train with config.loss.segmentation_weight above 0, or take another map.'
    )


def _check_latent_score(config: ConfigDict) -> None:
  """Rejects eq 13 with a latent error of a discriminator that never learns."""
  if (
    config.score.image == 'paper'
    and config.score.gamma < 1
    and not trains_discriminator(config)
  ):
    raise UsageError(
      f'config.score.gamma is {config.score.gamma}, but without '
      'config.loss.adversarial_weight and config.loss.latent_weight no '
      'discriminator is trained, whose latent error counts for the rest: set '
      'config.score.gamma to 1, or take another config.score.image.'
    )


def _check_groups(config: ConfigDict) -> None:
  """Rejects group norms that would leave nothing of AFF's global branch."""
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


def _check_placement(config: ConfigDict) -> None:
  """Rejects tf.data with augmentations that it does not have."""
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


def _check(good: bool, name: str, value: Any, wanted: str) -> None:
  if not good:
    raise UsageError(f'config.{name} is {value!r}: it must be {wanted}.')

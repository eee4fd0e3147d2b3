"""Checks a configuration: single fields, then combinations of fields.

Imports nothing slow, since it runs when flags are parsed.
"""

from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.automatic import AUTO, is_automatic
from afgan_jax.config.derived import has_segmentation_head, trains_discriminator
from afgan_jax.config.folds import check_fold
from afgan_jax.config.members import list_members
from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.schema import SIZES
from afgan_jax.config.store import flatten
from afgan_jax.system.errors import UsageError

# Characters of a value that are shown.
_LONGEST = 80


def check_config(config: ConfigDict, num_devices: int) -> None:
  """Checks the value of every field, but not that the images exist.

  Args:
    config: see `configs/default.py`; pass a stored one through `from_stored`.
    num_devices: number of devices that share each batch.

  Raises:
    UsageError: a value is not allowed; the message says which are.
  """
  _check_fields(flatten(config))
  _check_automatic(config)
  _check_tile_size(config)
  _check_batch_size(config, num_devices)
  _check_benchmark(config, num_devices)
  _check_placement(config)
  _check_region(config)
  _check_margin(config)
  check_fold(config)
  if config.method == 'afgan':
    _check_segmentation_map(config)
    _check_latent_score(config)
  if config.method == 'f_anogan':
    _check_stages(config)
  for member in list_members(config):
    check_config(member.config, num_devices)


def _check_fields(flat: dict[str, Any]) -> None:
  """Checks each field against the schema."""
  fields = fields_of(flat.get('method'))
  for name in fields:
    if name not in flat:
      raise UsageError(
        f'The config has no field config.{name}: let get_config start from '
        'that of configs/default.py, or, for another method, of '
        'configs/compare/.'
      )
  for name, field in fields.items():
    _check(
      field.allowed.accepts(flat[name]), name, flat[name], field.allowed.wanted
    )


def _check_automatic(config: ConfigDict) -> None:
  """Rejects fields of a geometry that is not chosen yet."""
  if not is_automatic(config):
    return
  for name, unset, kind in (
    ('scale', 1.0, 'tiles'),
    ('window', (1.0, 1.0), 'object'),
    ('template', '', 'object'),
  ):
    value = config.data[name]
    if value != unset:
      raise UsageError(
        f'config.data.{name}={_shorten(str(value))} has no use with '
        f'config.data.geometry={AUTO!r}, which chooses it: set '
        f'config.data.geometry={kind}, or leave it out.'
      )


def _check_tile_size(config: ConfigDict) -> None:
  sizes = tuple(size for size in SIZES if size <= config.image_size)
  if config.data.geometry == 'tiles' and config.tile_size != config.image_size:
    raise UsageError(
      "config.data.geometry='tiles' cuts images into squares of "
      f'config.image_size={config.image_size}, so config.tile_size='
      f'{config.tile_size} has no use: leave it out.'
    )
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
  """Checks that the devices exist and divide each batch size."""
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
      'set config.loss.segmentation_weight above 0, or choose another map.'
    )


def _check_latent_score(config: ConfigDict) -> None:
  """Rejects eq 13 with the latent error of an untrained discriminator."""
  if (
    config.score.image == 'paper'
    and config.score.gamma < 1
    and not trains_discriminator(config)
  ):
    raise UsageError(
      f'config.score.gamma is {config.score.gamma}, which includes the latent '
      'error of the discriminator, but config.loss.adversarial_weight and '
      'config.loss.latent_weight are 0, so it is not trained: set '
      'config.score.gamma to 1, or choose another config.score.image.'
    )


def _check_stages(config: ConfigDict) -> None:
  """Rejects a run of f-AnoGAN that ends before its second stage."""
  from_step = config.encoder.from_step
  _check(
    config.num_steps > from_step,
    'num_steps',
    config.num_steps,
    f'greater than config.encoder.from_step, {from_step}, the number of steps '
    'after which the encoder is trained',
  )


def _check_placement(config: ConfigDict) -> None:
  """Rejects augmentations that the tf.data pipeline lacks."""
  variation = config.variation.to_dict()
  identity = dict.fromkeys(variation, 0) | {'scale': (1, 1)}
  variation['scale'] = tuple(variation['scale'])
  if config.data.placement == 'host' and (
    config.augmentation.kind == 'mixture'
    or variation != identity
    or config.tile_size != config.image_size
  ):
    raise UsageError(
      "config.data.placement is 'host', which supports only the paper's "
      "augmentations of whole images: set it to 'device' for "
      "config.augmentation.kind='mixture', config.variation or a "
      'config.tile_size below config.image_size.'
    )


def _check_region(config: ConfigDict) -> None:
  """Rejects a region of interest where images have no fixed position."""
  if not config.data.roi:
    return
  for name, value, reason in (
    ('source', 'procedural', 'whose images are generated'),
    ('geometry', 'object', 'which finds and crops the object itself'),
  ):
    if config.data[name] == value:
      raise UsageError(
        f'config.data.roi does not go with config.data.{name}={value!r}, '
        f'{reason}: leave one of the two out.'
      )


def _check_margin(config: ConfigDict) -> None:
  """Rejects a margin that the score would not leave out."""
  if config.score.margin and config.score.image == 'paper':
    raise UsageError(
      f'config.score.margin is {config.score.margin}, but the score of the '
      "paper is a mean over all of the image: set config.score.image to 'max' "
      "or 'top_k', or config.score.margin to 0."
    )


def _check(allowed: bool, name: str, value: Any, wanted: str) -> None:
  if not allowed:
    raise UsageError(
      f'config.{name} is {_shorten(repr(value))}: it must be {wanted}.'
    )


def _shorten(text: str) -> str:
  return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'

"""Estimates the training time before anything is compiled."""

import copy

import jax
from ml_collections import ConfigDict

from afgan_jax import machine
from afgan_jax.config.derived import base_features, size_in_words
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.methods.registry import build_method
from afgan_jax.system.errors import UsageError
from afgan_jax.system.log import in_words

_HOUR = 3600
# Sizes that a CPU can train in an hour, largest first: side of the image and
# features of the first level.
_SMALLER = ((128, 32), (128, 16), (64, 16))
_BATCH = 16
_FEWEST_STEPS = 2000  # With fewer steps a smaller size is chosen.


def describe_duration(
  config: ConfigDict, num_steps: int
) -> tuple[str, dict[str, int]]:
  """Estimates the training time and suggests fields for an hour of training.

  Args:
    config: see `configs/default.py`.
    num_steps: number of steps left.

  Returns:
    A sentence; and dotted config fields with values that shorten training to an
    hour, empty unless it takes much longer than that on a CPU.
  """
  devices = jax.local_devices()
  platform = devices[0].platform
  peak = machine.expected_speed(config.dtype, devices) * jax.process_count()
  seconds = num_steps * _step_seconds(config, peak)
  if not seconds:  # The method does not count its operations.
    return f'{num_steps} steps of {config.batch_size} images.', {}
  name = 'CPU' if platform == 'cpu' else devices[0].device_kind
  if jax.device_count() > 1:
    name = f'{jax.device_count()} × {name}'
  features = base_features(config)
  width = f' with {features} features' if features else ''
  sentence = (
    f'{num_steps} steps of {config.batch_size} images of '
    f'{size_in_words(config.image_size, config.tile_size)}{width}: about '
    f'{in_words(seconds)} on this machine ({name}), estimated from the speed '
    'of a matrix product; compilation is not included.'
  )
  if platform == 'cpu' and seconds > 1.5 * _HOUR:
    return sentence, _fields_for_an_hour(config, peak)
  return sentence, {}


def _step_seconds(config: ConfigDict, peak: float) -> float:
  operations = config.batch_size * build_method(config).train_flops()
  return operations / (peak * machine.narrow_share(base_features(config)))


def _fields_for_an_hour(config: ConfigDict, peak: float) -> dict[str, int]:
  """Returns fields that shorten a run to an hour, {} if no size fits."""
  fields = {}
  for image_size, features in _SMALLER:
    # References are kept: the discriminator's width may follow.
    smaller = copy.deepcopy(config)
    changes = {
      'image_size': min(config.image_size, image_size),
      'batch_size': min(config.batch_size, _BATCH),
    }
    width = base_features(config)
    if width:
      changes['generator.base_features'] = min(width, features)
    smaller.update_from_flattened_dict(changes)
    smaller = smaller.copy_and_resolve_references()
    smaller.tile_size = min(config.tile_size, image_size)
    try:
      check_group_sizes(smaller)
    except UsageError:
      continue
    steps = _HOUR / _step_seconds(smaller, peak)
    fields = changes | {'num_steps': int(float(f'{steps:.1e}'))}
    if 'from_step' in config.get('encoder', {}):  # Of two stages.
      fields['encoder.from_step'] = fields['num_steps'] * 2 // 3
    if steps >= _FEWEST_STEPS:
      break
  return fields

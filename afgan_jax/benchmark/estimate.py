"""Estimates the training time before anything is compiled."""

import jax
from ml_collections import ConfigDict

from afgan_jax.benchmark import machine
from afgan_jax.config.derived import size_in_words
from afgan_jax.methods.registry import build_method

# A train step reaches the FLOP/s of a large matrix product, except that narrow
# layers are slower: with `_NARROW` features at the first level a step takes
# twice as long. On two cores 0.39 to 0.53 of that speed were measured with 16
# features, 0.70 to 0.91 with 64; on an H100 0.28 with 64 (docs/performance.md).
_NARROW = 20
_SHARE_OF_PEAK = {'cpu': 1.0, 'gpu': 0.35, 'tpu': 0.35}
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
  devices = jax.devices()
  platform = devices[0].platform
  peak = machine.matrix_peak(config.dtype, devices, rounds=2)
  peak *= _SHARE_OF_PEAK.get(platform, _SHARE_OF_PEAK['gpu'])
  seconds = num_steps * _step_seconds(config, peak)
  if not seconds:  # The method does not count its operations.
    return f'{num_steps} steps of {config.batch_size} images.', {}
  name = 'CPU' if platform == 'cpu' else devices[0].device_kind
  if len(devices) > 1:
    name = f'{len(devices)} × {name}'
  sentence = (
    f'{num_steps} steps of {config.batch_size} images of '
    f'{size_in_words(config.image_size, config.tile_size)} with '
    f'{config.generator.base_features} features: about {in_words(seconds)} on '
    f'this machine ({name}), estimated from the speed of a matrix product; '
    'compilation is not included.'
  )
  if platform == 'cpu' and seconds > 1.5 * _HOUR:
    return sentence, _fields_for_an_hour(config, peak)
  return sentence, {}


def in_words(seconds: float) -> str:
  """Formats a duration with two significant digits."""
  for unit, length in (('days', 24 * _HOUR), ('h', _HOUR), ('min', 60)):
    if seconds >= 2 * length:
      return f'{float(f"{seconds / length:.2g}"):g} {unit}'
  return f'{float(f"{max(seconds, 1):.2g}"):g} s'


def _step_seconds(config: ConfigDict, peak: float) -> float:
  features = config.generator.base_features
  operations = config.batch_size * build_method(config).train_flops()
  return operations / (peak * features / (features + _NARROW))


def _fields_for_an_hour(config: ConfigDict, peak: float) -> dict[str, int]:
  """Returns fields that shorten a run to an hour."""
  smaller = config.copy_and_resolve_references()
  smaller.batch_size = min(config.batch_size, _BATCH)
  for image_size, features in _SMALLER:
    smaller.image_size = min(config.image_size, image_size)
    smaller.tile_size = min(config.tile_size, image_size)
    for network in ('generator', 'discriminator', 'segmentation'):
      original = config[network].base_features
      smaller[network].base_features = min(original, features)
    steps = _HOUR / _step_seconds(smaller, peak)
    if steps >= _FEWEST_STEPS:
      break
  steps = int(float(f'{steps:.1e}'))
  return {
    'image_size': smaller.image_size,
    'generator.base_features': smaller.generator.base_features,
    'batch_size': smaller.batch_size,
    'num_steps': steps,
  }

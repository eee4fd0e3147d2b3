"""Configures networks for benchmarks of the train step."""

import importlib

from ml_collections import ConfigDict

from afgan_jax.config.rules import check_config
from afgan_jax.system.errors import UsageError
from configs import default


def paper_config(
  image_size: int, base_features: int, batch_size: int
) -> ConfigDict:
  """Returns the paper's config with other sizes."""
  config = default.get_config()
  config.image_size = image_size
  config.generator.base_features = base_features
  config.batch_size = batch_size
  return config


def method_config(
  method: str, image_size: int, base_features: int, batch_size: int
) -> ConfigDict:
  """Returns the config of a method of Table 2 with other sizes.

  The generator is updated as often as its discriminator.

  Args:
    method: value of `config.method`.
    image_size: side of the images in pixels.
    base_features: features of the first level of all networks.
    batch_size: number of images.
  """
  module = importlib.import_module(f'configs.compare.{method}')
  config = module.get_config()
  config.image_size, config.batch_size = image_size, batch_size
  for group in config.values():
    if isinstance(group, ConfigDict) and 'base_features' in group:
      group.base_features = base_features
  for field in ('critic_updates', 'discriminator_updates'):
    if field in config.optimizer:
      config.optimizer[field] = 1
  return config


def parse_config(arguments: list[str]) -> ConfigDict:
  """Parses [IMAGE_SIZE [BASE_FEATURES [BATCH]]], by default 256, 64 and 8.

  Args:
    arguments: of the command line.

  Returns:
    The config.

  Raises:
    SystemExit: with one sentence, if the arguments are invalid.
  """
  try:
    given = [int(argument) for argument in arguments]
    config = paper_config(*given, *(256, 64, 8)[len(given) :])
    check_config(config, num_devices=1)
  except (ValueError, TypeError) as error:
    raise SystemExit(
      f'{" ".join(arguments)}: give up to three whole numbers, image size, '
      'base features and batch size.'
    ) from error
  except UsageError as error:
    raise SystemExit(str(error)) from error
  return config

"""Configures the paper's networks for benchmarks of the train step."""

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

"""Properties derived from the fields of a configuration."""

from ml_collections import ConfigDict


def num_steps(config: ConfigDict, num_images: int) -> int:
  """Returns the number of training steps."""
  if config.num_steps:
    return config.num_steps
  return config.num_epochs * steps_per_epoch(config, num_images)


def steps_per_epoch(config: ConfigDict, num_images: int) -> int:
  """Returns round(images / batch), at least 1."""
  return max(1, round(num_images / config.batch_size))


def trains_discriminator(config: ConfigDict) -> bool:
  """Returns True if a config trains the discriminator."""
  return config.loss.adversarial_weight > 0 or config.loss.latent_weight > 0


def has_segmentation_head(config: ConfigDict) -> bool:
  """Returns True if a config has a segmentation head."""
  return config.loss.segmentation_weight > 0


def num_levels(config: ConfigDict) -> int:
  """Returns how often a square of `config.tile_size` can be halved."""
  return config.tile_size.bit_length() - 1


def num_head_levels(config: ConfigDict) -> int:
  """Returns the number of levels of the segmentation head."""
  return min(config.segmentation.num_levels, num_levels(config))


def sees_high_pass(config: ConfigDict) -> bool:
  """Returns True if the generator sees the high-pass filtered grey image."""
  return config.generator.input == 'high_pass'


def base_features(config: ConfigDict) -> int | None:
  """Returns the generator's features at the first level; None without any."""
  return config.get('generator', {}).get('base_features')


def size_in_words(image_size: int, tile_size: int) -> str:
  """Describes the size of images, and of tiles if there are any, in pixels."""
  tiles = f' in tiles of {tile_size}' if tile_size < image_size else ''
  return f'{image_size} px{tiles}'

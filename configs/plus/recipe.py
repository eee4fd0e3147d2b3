"""Changes of the better recipe to the paper's.

Each part is a field and can be switched off on its own; docs/ladder.md has the
gain of each and how it was chosen.
"""

from ml_collections import ConfigDict

# Settings of single categories, chosen from their good images.
CATEGORY_FIELDS = {
  # One long object on a plain background, in any orientation.
  'screw': {'data': {'geometry': 'object', 'window': (0.46, 1.08)}},
  # Textures in any direction: no rotation is a defect.
  **{name: {'variation': {'rotation': 180.0}} for name in ('leather', 'tile')},
}

# Textures at one scale, half of the images'; squares of them are inspected.
TEXTURE_FIELDS = {'data': {'geometry': 'tiles', 'scale': 0.5}}


def improve(config: ConfigDict) -> ConfigDict:
  """Turns the paper's recipe into the better one, at any size.

  Args:
    config: from `configs/default.py` or of a category; changed in place.

  Returns:
    The same config.
  """
  # As many steps for a small training set as for a large one.
  config.num_steps = 12_000
  config.batch_size = 16
  config.checkpoint.every_epochs = 100
  config.data.geometry = 'auto'
  config.data.normalize_brightness = True
  config.variation.rotation = 4.0
  config.variation.scale = (0.95, 1.05)
  config.variation.shift = 0.03
  config.variation.brightness = 0.1
  config.variation.contrast = 0.1
  config.augmentation.kind = 'mixture'
  config.augmentation.probability = 0.9
  config.augmentation.mixture.max_defects = 4
  # Adversarial training doubles the cost and does not improve the head.
  config.loss.adversarial_weight = 0.0
  config.loss.latent_weight = 0.0
  config.loss.segmentation_weight = 1.0
  config.optimizer.learning_rate = 3e-3
  config.optimizer.decay_steps = config.get_oneway_ref('num_steps')
  config.optimizer.average = 0.995
  config.score.map = 'segmentation'
  config.score.image = 'max'
  return config

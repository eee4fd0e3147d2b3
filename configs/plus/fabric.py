"""The better recipe on the embedded texture, woven cloth with faint flaws.

python main.py --config=configs/plus/fabric.py

64 px and a quarter of the width, for a processor.
"""

from ml_collections import ConfigDict

from configs import default
from configs.plus import recipe


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = recipe.improve(default.get_config())
  config.image_size = 64
  config.num_steps = 2500
  config.checkpoint.every_epochs = 40
  config.data.geometry = 'stretch'  # As its figures were measured.
  config.data.procedural.kind = 'fabric'
  config.generator.base_features = 16
  config.generator.max_features = 128
  config.segmentation.max_features = 128
  config.calibration.false_reject_rate = 0.05
  # Cloth is woven alike in all four directions of the loom.
  config.variation.flip_columns = True
  config.variation.flip_rows = True
  return config

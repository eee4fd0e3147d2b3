"""A first look: the embedded data set, small enough for two CPU cores.

python main.py --config=configs/demo.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = default.get_config()
  config.image_size = 64
  config.batch_size = 16
  config.num_epochs = 40
  config.generator.base_features = 16
  config.data.placement = 'device'
  return config

"""One's own folder of good images.

python main.py --config=configs/folder.py --config.data.path=my_images
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = default.get_config()
  config.data.source = 'folder'
  return config

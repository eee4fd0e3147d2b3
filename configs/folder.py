"""The paper's recipe on your own folder of good images.

  python main.py --config=configs/folder.py --config.data.path=my_images

The paper's networks, losses and schedule; images are scored by the largest
value of their smoothed residual, as in `mvtec_ad.py`.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = default.get_config()
  config.data.source = 'folder'
  config.score.image = 'max'
  return config

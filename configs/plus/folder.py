"""The better recipe on your own folder of good images.

python main.py --config=configs/plus/folder.py --config.data.path=my_images
"""

from ml_collections import ConfigDict

from configs import folder
from configs.plus import recipe


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return recipe.improve(folder.get_config())

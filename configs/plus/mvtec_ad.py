"""The better recipe on a category of MVTec AD, given after a colon.

python main.py --config=configs/plus/mvtec_ad.py:screw

The good images of a category tell whether they are divided into squares, turned
to one direction or seen as a whole (`config.data.geometry`).
"""

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.plus import recipe


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    category: e.g. 'metal_nut'.
  """
  config = recipe.improve(mvtec_ad.get_config(category))
  config.update(recipe.CATEGORY_FIELDS.get(category, {}))
  return config

"""The better recipe on a category of MVTec AD, which follows a colon.

python main.py --config=configs/plus/mvtec_ad.py:screw
"""

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.plus import recipe

# What lies on its ground in any direction: no turn of it is a defect.
TURNED = ('bottle', 'hazelnut', 'leather', 'metal_nut', 'screw', 'tile')


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    category: e.g. 'metal_nut'.
  """
  config = recipe.improve(mvtec_ad.get_config(category))
  if category in TURNED:
    config.variation.rotation = 180.0
  return config

"""MVTec LOCO AD, a category given after a colon.

  python main.py --config=configs/mvtec_loco.py:pushpins \
    --config.data.path=/data/mvtec_loco

The recipe of `mvtec_ad.py`. docs/data_sets.md describes the folder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: e.g. 'pushpins'.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'mvtec_loco'
  config.data.path = 'data/mvtec_loco'
  return config

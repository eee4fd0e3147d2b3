"""MVTec AD 2, an object given after a colon.

  python main.py --config=configs/mvtec_ad_2.py:can \
    --config.data.path=/data/mvtec_ad_2

The recipe of `mvtec_ad.py`. docs/data_sets.md describes the folder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: e.g. 'can'.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'mvtec_ad_2'
  config.data.path = 'data/mvtec_ad_2'
  return config

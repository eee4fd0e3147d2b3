"""BTAD, a product given after a colon.

  python main.py --config=configs/btad.py:01 \
    --config.data.path=/data/btad

The recipe of `mvtec_ad.py`. docs/data_sets.md describes the folder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: e.g. '01'.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'btad'
  config.data.path = 'data/btad'
  return config

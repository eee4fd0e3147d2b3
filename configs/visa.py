"""VisA, an object given after a colon.

  python main.py --config=configs/visa.py:candle \
    --config.data.path=/data/visa

The recipe of `mvtec_ad.py`. docs/data_sets.md describes the folder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: e.g. 'candle'.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'visa'
  config.data.path = 'data/visa'
  return config

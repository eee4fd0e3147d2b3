"""MPDD, a category given after a colon.

  python main.py --config=configs/mpdd.py:connector \
    --config.data.path=/data/mpdd

The recipe of `mvtec_ad.py`. docs/data_sets.md describes the folder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: e.g. 'connector'.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'mpdd'
  config.data.path = 'data/mpdd'
  return config

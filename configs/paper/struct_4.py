"""Struct 4 of Table 4, which is State 4 of Table 3.

python main.py --config=configs/paper/struct_4.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('state_4', category)

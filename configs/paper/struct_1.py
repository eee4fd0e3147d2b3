"""Struct 1 of Table 4: concatenation, with random erasing.

python main.py --config=configs/paper/struct_1.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('struct_1', category)

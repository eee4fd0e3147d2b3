"""Struct 3 of Table 4: concatenation, with cut-paste.

python main.py --config=configs/paper/struct_3.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('struct_3', category)

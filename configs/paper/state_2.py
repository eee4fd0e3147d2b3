"""State 2 of Table 3: encoder and decoder only, with cut-paste.

python main.py --config=configs/paper/state_2.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('state_2', category)

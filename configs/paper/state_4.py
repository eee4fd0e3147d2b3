"""State 4 of Table 3, the paper's model: attention fusion and cut-paste.

python main.py --config=configs/paper/state_4.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('state_4', category)

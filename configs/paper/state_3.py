"""State 3 of Table 3: attention feature fusion, no augmentation.

python main.py --config=configs/paper/state_3.py:screw
"""

from ml_collections import ConfigDict

from configs.paper import variants


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  return variants.get_config('state_3', category)

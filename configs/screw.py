"""MVTec AD, category screw (an object), the paper's recipe.

python main.py --config=configs/screw.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('screw')

"""MVTec AD, category metal_nut (an object), the paper's recipe.

python main.py --config=configs/metal_nut.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('metal_nut')

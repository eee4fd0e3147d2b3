"""MVTec AD, category leather (a texture), the paper's recipe.

python main.py --config=configs/leather.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('leather', texture=True)

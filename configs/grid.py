"""MVTec AD, category grid (a texture), the paper's recipe.

python main.py --config=configs/grid.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('grid', texture=True)

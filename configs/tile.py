"""MVTec AD, category tile (a texture), the paper's recipe.

python main.py --config=configs/tile.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('tile', texture=True)

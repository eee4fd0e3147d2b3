"""MVTec AD, category transistor (an object), the paper's recipe.

python main.py --config=configs/transistor.py
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config() -> ConfigDict:
  """Returns the configuration."""
  return mvtec_ad.get_config('transistor')

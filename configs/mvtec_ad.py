"""Shared configuration of the fifteen categories of MVTec AD; see `screw.py`.

The paper's networks, losses and schedule. Images are normalised to the same
brightness and scored by the largest value of their smoothed residual, which
separates synthetic defects from good images better than eq 13
(docs/reproduction.md); `configs/paper/` has the paper's choices.

python main.py --config=configs/mvtec_ad.py --config.data.category=screw
"""

from ml_collections import ConfigDict

from configs import default


def get_config(category: str = '', texture: bool = False) -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: name of a category, e.g. 'metal_nut'.
    texture: whether it is one of the five textures of Table 1, whose pasted
      patches get colour jitter (§3.2).
  """
  config = default.get_config()
  config.data.source = 'mvtec_ad'
  config.data.path = 'data/mvtec_ad'
  config.data.category = category
  config.data.normalize_brightness = True
  config.score.image = 'max'
  if texture:
    config.augmentation.color_jitter = 0.1  # CutPaste's strength.
  return config

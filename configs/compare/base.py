"""Shared configuration of the methods of Table 2; see `ganomaly.py`.

Same images, brightness, held-out images and thresholds as the category configs
of AFGAN. The score is the one of the method's own paper.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad

# Groups and fields that only AFGAN has.
_AFGAN = ('norm', 'generator', 'discriminator', 'segmentation', 'loss')
_AFGAN_FIELDS = (
  ('optimizer', 'first'),
  ('score', 'gamma'),
  ('score', 'views'),
)


def get_config(method: str, category: str = '') -> ConfigDict:
  """Returns the fields that all methods share, for a category of MVTec AD.

  Args:
    method: value of `config.method`.
    category: of MVTec AD, e.g. 'screw'.
  """
  config = mvtec_ad.get_config(category)
  for group in _AFGAN:
    del config[group]
  for group, field in _AFGAN_FIELDS:
    del config[group][field]
  config.method = method
  config.augmentation.kind = 'none'
  config.score.image = 'paper'
  return config

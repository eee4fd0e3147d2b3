"""Methods of Table 2 at a size that trains in minutes on a CPU.

  python main.py --config=configs/compare/small.py:ganomaly/screw

64 px, 16 features at the first level and at most 128, 3,000 steps of 16 images.
"""

import importlib

from ml_collections import ConfigDict

METHODS = (
  'anogan',
  'f_anogan',
  'ganomaly',
  'skip_ganomaly',
  'dagan',
  'cbigan',
  'dual_attention_gan',
)


def get_config(name: str = 'ganomaly') -> ConfigDict:
  """Returns the configuration of a method and category.

  Args:
    name: of a method, followed by a slash and a category of MVTec AD, e.g.
      'ganomaly/screw'.

  Raises:
    ValueError: if there is no such method.
  """
  method, _, category = name.partition('/')
  if method not in METHODS:
    raise ValueError(
      f'there is no method {method!r}: give one of {", ".join(METHODS)}'
    )
  config = importlib.import_module(f'configs.compare.{method}').get_config(
    category
  )
  shrink(config)
  return config


def shrink(config: ConfigDict) -> None:
  """Shrinks networks and images so that a run takes minutes on a CPU.

  Args:
    config: changed in place; also keeps only the last checkpoint.
  """
  config.image_size = 64
  config.batch_size = 16
  config.num_steps = 3000
  config.checkpoint.max_to_keep = 1
  for group in config.values():
    if isinstance(group, ConfigDict):
      for field, most in (('base_features', 16), ('max_features', 128)):
        if field in group:
          group[field] = min(group[field], most)
      if 'from_step' in group:  # Of a method with two stages.
        group.from_step = config.num_steps * 2 // 3

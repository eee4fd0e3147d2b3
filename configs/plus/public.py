"""The better recipe on a public data set; its config is given after a colon.

python main.py --config=configs/plus/public.py:visa/candle

The good images of a category tell whether they are divided into squares, turned
to one direction or seen as a whole (`config.data.geometry`).
"""

import importlib

from ml_collections import ConfigDict

from configs.plus import recipe

SETS = ('visa', 'btad', 'mpdd', 'mvtec_loco', 'mvtec_ad_2', 'tfds')


def get_config(name: str = 'visa') -> ConfigDict:
  """Returns the configuration.

  Args:
    name: one of `SETS`, followed by a slash and a category.

  Raises:
    ValueError: if there is no such data set.
  """
  data_set, _, category = name.partition('/')
  if data_set not in SETS:
    raise ValueError(
      f'there is no data set {data_set!r}: give one of {", ".join(SETS)}'
    )
  module = importlib.import_module(f'configs.{data_set}')
  return recipe.improve(module.get_config(category))

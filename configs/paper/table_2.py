"""A study of Table 2: methods, fifteen categories, three seeds.

  python main.py --mode=study --config=configs/paper/table_2.py

Each method has the networks, sizes and schedule of its own config in
`configs/compare/`; the images are the same for all. At 64 px, for a CPU:

  python main.py --mode=study --config=configs/paper/table_2.py:small \
    --config.study.categories="('screw', 'tile')" --config.study.seeds="(0,)"

All other fields apply to each run, as in `tables.py`.
"""

import importlib
from typing import Any

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.compare import small
from configs.paper import variants

# Those of `configs/compare/`; AFGAN, State 4 of Table 3, is the reference.
METHODS = small.METHODS
# Groups and fields that are the study's, for all methods.
_SHARED = (
  'seed',
  'data',
  'calibration',
  'metrics',
  'predict',
  'log',
  'checkpoint',
  'benchmark',
)


def get_config(size: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    size: 'small' for runs that take minutes on a CPU, see `compare/small.py`.

  Raises:
    ValueError: if it is anything else.
  """
  if size not in ('', 'small'):
    raise ValueError(f"there is no size {size!r}: give 'small' or nothing")
  config = mvtec_ad.get_config()
  variants.follow_paper(config)
  if size:
    small.shrink(config)
  config.checkpoint.max_to_keep = 1  # There are hundreds of runs.
  config.checkpoint.every_epochs = 200  # Some methods take 100,000s of steps.
  config.log.panel_every_epochs = 0
  base = config.copy_and_resolve_references().to_dict()
  ours = {name: _fields(name, size, base) for name in METHODS}
  config.study = variants.study(
    {'afgan': {}}
    | {name: {'method': name} | fields for name, fields in ours.items()},
    reference='afgan',
  )
  # Fields of a method that depend on the category, such as tiles for textures.
  config.study.variant_category_fields = ConfigDict(
    {
      name: _category_fields(name, size, base, fields)
      for name, fields in ours.items()
    }
  )
  return config


def _category_fields(
  method: str, size: str, base: dict[str, Any], fields: dict[str, Any]
) -> dict[str, Any]:
  """Returns what a method sets beyond `fields`, by category."""
  by_category = {
    category: _differences(_fields(method, size, base, category), fields)
    for category in variants.TEXTURES + variants.OBJECTS
  }
  return {category: more for category, more in by_category.items() if more}


def _fields(
  method: str, size: str, base: dict[str, Any], category: str = ''
) -> dict[str, Any]:
  """Returns the fields of a method's config that differ from the study's."""
  config = importlib.import_module(f'configs.compare.{method}').get_config(
    category
  )
  if size:
    small.shrink(config)
  own = config.copy_and_resolve_references().to_dict()
  for name in (*_SHARED, 'method'):
    own.pop(name, None)
  return _differences(own, base)


def _differences(
  config: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
  """Returns the fields that `base` lacks or has with other values."""
  found = {}
  for name, value in config.items():
    if isinstance(value, dict):
      inner = _differences(value, base.get(name, {}))
      if inner:
        found[name] = inner
    elif name not in base or base[name] != value:
      found[name] = value
  return found

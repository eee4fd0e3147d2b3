"""Tables 3 and 4 of the paper: seven variants, fifteen categories, three seeds.

  python main.py --mode=study --config=configs/paper/tables.py

That is 315 runs; `config.study` says which, and fewer can be named:

  --config.study.categories="('screw', 'tile')" --config.study.seeds="(0,)"

All other fields are those of each run, as in `configs/default.py`, but for
config.seed and what a variant or a category sets.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.paper import variants


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = mvtec_ad.get_config()
  variants.follow_paper(config)
  config.checkpoint.max_to_keep = 1  # Of hundreds of runs.
  config.study = variants.study(variants.VARIANTS, reference='state_4')
  return config

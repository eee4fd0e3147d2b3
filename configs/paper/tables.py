"""A study of Tables 3 and 4: seven variants, fifteen categories, three seeds.

  python main.py --mode=study --config=configs/paper/tables.py

That is 315 runs, listed by `config.study`; select fewer with:

  --config.study.categories="('screw', 'tile')" --config.study.seeds="(0,)"

All other fields apply to each run, as in `configs/default.py`, except for
config.seed and the fields that a variant or a category sets.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.paper import variants


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = mvtec_ad.get_config()
  variants.follow_paper(config)
  config.checkpoint.max_to_keep = 1  # There are hundreds of runs.
  config.study = variants.study(variants.VARIANTS, reference='state_4')
  return config

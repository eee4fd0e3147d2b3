"""Why State 4 collapses with some seeds: one thing changed at a time.

  python main.py --mode=study --config=configs/paper/stability.py \
    --config.data.path=/data/mvtec_ad

The paper's recipe on a small set, small enough for a processor. Measured on
synthetic defects on held-out good images, by the map alone: a generator that
has collapsed has no map.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad
from configs.paper import variants

VARIANTS = {
  'state_4': {},
  'no_latent': {'loss': {'latent_weight': 0.0}},
  'no_adversarial': {'loss': {'adversarial_weight': 0.0}},
  'no_game': {'loss': {'adversarial_weight': 0.0, 'latent_weight': 0.0}},
  'tenth': {'loss': {'adversarial_weight': 0.1, 'latent_weight': 0.1}},
  'slow': {'optimizer': {'learning_rate': 5e-5}},
  'fast': {'optimizer': {'learning_rate': 1e-3}},
  # The running statistics of Flax's default, ten times as slow.
  'slow_statistics': {'norm': {'momentum': 0.99}},
  # Nothing of the batch in any norm.
  'group_norm': {'norm': {'kind': 'group'}},
  'group_norm_in_fusions': {'generator': {'aff_norm': 'group'}},
  'group_norm_in_discriminator': {'discriminator': {'norm': 'group'}},
  'concat': {'generator': {'fusion': 'concat'}},
}


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = mvtec_ad.get_config()
  variants.shrink(config)
  config.batch_size = 16
  config.num_epochs = 200
  config.calibration.fraction = 0.2
  config.checkpoint.every_epochs = 200
  config.score.image = 'max'
  config.study = variants.study(
    VARIANTS, reference='state_4', measure='validation'
  )
  config.study.categories = ('toothbrush',)
  return config

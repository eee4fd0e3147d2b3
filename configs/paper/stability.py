r"""A study of readings of eq 12 that may collapse, one change at a time.

  python main.py --mode=study --config=configs/paper/stability.py \
    --config.data.path=DIR --config.study.categories="('mvtec_ad/toothbrush', \
    'mvtec_ad/screw', 'magnetic_tile')"

State 4, small enough for a CPU. Measured on synthetic defects on held-out good
images, by the map only: the map of a collapsed generator is useless.
"""

from ml_collections import ConfigDict

from configs import folder
from configs.paper import variants

_OLD = {'loss': {'discriminator_latent_weight': 0.0}}
_RELEASED = {
  'optimizer': {'first': 'generator'},
  'discriminator': {'reset_below': 1e-5},
}
VARIANTS = {
  # The latent loss in both networks' losses, with equal weights.
  'both': {},
  # Only in the generator's, and with a tenth of the weight in the other's.
  'generator_alone': _OLD,
  'tenth': {'loss': {'discriminator_latent_weight': 0.1}},
  # As in Skip-GANomaly's published code: the generator is updated first, and
  # the discriminator is reinitialised when its loss vanishes.
  'generator_first': {'optimizer': {'first': 'generator'}},
  'reset': {'discriminator': {'reset_below': 1e-5}},
  'released': _RELEASED,
  # The same, without the latent loss in the discriminator's loss.
  'generator_alone_released': _OLD | _RELEASED,
  # Group norms in the discriminator.
  'group_norm': {'discriminator': {'norm': 'group'}},
  'generator_alone_group_norm': _OLD | {'discriminator': {'norm': 'group'}},
  # Without one of the losses, or with another learning rate.
  'no_latent': {'loss': {'latent_weight': 0.0}},
  'no_adversarial': {'loss': {'adversarial_weight': 0.0}},
  'slow': {'optimizer': {'learning_rate': 5e-5}},
  'fast': {'optimizer': {'learning_rate': 1e-3}},
  'concat': {'generator': {'fusion': 'concat'}},
}


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = folder.get_config()
  variants.shrink(config)
  config.batch_size = 16
  config.num_steps = 3000
  config.calibration.fraction = 0.2
  config.checkpoint.every_epochs = 1000
  config.log.panel_every_epochs = 0
  config.score.image = 'max'
  config.study = variants.study(
    VARIANTS, reference='both', measure='validation'
  )
  return config

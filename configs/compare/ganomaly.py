"""GANomaly (Akcay et al., ACCV 2018), a column of Table 2.

  python main.py --config=configs/compare/ganomaly.py:screw

"Code" is the authors' published one, github.com/samet-akcay/ganomaly. It was
not written for MVTec AD; choices for it are marked so.
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  config = base.get_config('ganomaly', category)
  # Chosen here. The code has 32 px by default; 256 px have four times as many
  # weights, 144 million in the generator.
  config.image_size = 128
  config.batch_size = 32  # That of ports to MVTec AD; the code has 64.
  # That of ports to MVTec AD; the code has 15 for larger sets. The weights are
  # those of the last step: the code selects an epoch by its test AUC.
  config.num_epochs = 100

  config.generator = ConfigDict()
  # Features of the first level; they double at each level, and the code has no
  # maximum (here, up to 256 px).
  config.generator.base_features = 64
  config.generator.max_features = 2048
  config.generator.latent_features = 100  # Length of z (code).

  config.discriminator = ConfigDict()
  # As wide as the generator (code).
  config.discriminator.base_features = config.generator.get_oneway_ref(
    'base_features'
  )
  config.discriminator.max_features = config.generator.get_oneway_ref(
    'max_features'
  )
  # Reinitialise it, with its optimizer, if its loss falls below this (code); 0
  # for never.
  config.discriminator.reset_below = 1e-5

  config.loss = ConfigDict()
  # Of the generator's loss (code).
  config.loss.adversarial_weight = 1.0  # Distance of the features of D.
  config.loss.reconstruction_weight = 50.0  # L1.
  config.loss.latent_weight = 1.0  # Distance of z and z'.

  # Distance of z and z' in the score: 'l2', the mean of squares (code), or
  # 'l1', the mean of absolute values (the article). In the loss it is 'l2'.
  config.score.latent_distance = 'l2'
  return config

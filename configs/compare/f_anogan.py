"""f-AnoGAN (Schlegl et al. 2019), for a category of MVTec AD.

  python main.py --config=configs/compare/f_anogan.py:screw

One run trains both of its stages: a Wasserstein GAN with gradient penalty up to
`encoder.from_step`, and from there the encoder that maps images to its latent
vectors ("izi_f"). Values are those of the authors' code unless a comment says
otherwise (docs/readings.md).
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    category: of MVTec AD, e.g. 'screw'.
  """
  config = base.get_config('f_anogan', category)
  config.image_size = 64
  config.batch_size = 64
  # A step is a batch: 20,000 updates of the generator, chosen here as for
  # AnoGAN, and the code's 50,000 of the encoder.
  config.num_steps = 150_000
  _set_networks(config)
  # Number of steps after which the critic and the generator are frozen and the
  # encoder is trained; below `num_steps`.
  config.encoder.from_step = 100_000
  config.encoder.learning_rate = 5e-5  # Of RMSProp.
  config.loss = ConfigDict()
  config.loss.gradient_penalty_weight = 10.0
  # κ, of the critic's features in the encoder's loss and in the score.
  config.loss.latent_weight = 1.0
  config.optimizer.learning_rate = 1e-4  # Adam, of the GAN.
  config.optimizer.beta1 = 0.0
  config.optimizer.beta2 = 0.9
  # Updates of the critic for each of the generator.
  config.optimizer.discriminator_updates = 5
  # Small training sets: an epoch has a few steps.
  config.checkpoint.every_epochs = 500
  config.log.panel_every_epochs = 500
  return config


def _set_networks(config: ConfigDict) -> None:
  config.generator = ConfigDict()
  # Features of the block next to the image; they double at each block inwards
  # up to the maximum.
  config.generator.base_features = 64
  config.generator.max_features = 512
  config.generator.latent_features = 128  # Length of z, normal.
  config.discriminator = ConfigDict()  # The critic.
  # As the generator's unless set; the encoder's as well.
  config.discriminator.base_features = config.generator.get_oneway_ref(
    'base_features'
  )
  config.discriminator.max_features = 512
  config.encoder = ConfigDict()
  config.encoder.base_features = config.generator.get_oneway_ref(
    'base_features'
  )
  config.encoder.max_features = 512

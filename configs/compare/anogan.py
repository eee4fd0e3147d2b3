"""AnoGAN (Schlegl et al., IPMI 2017), for a category of MVTec AD.

  python main.py --config=configs/compare/anogan.py:screw

The paper's networks are those of DCGAN; numbers that it leaves open are from
published code (docs/readings.md). Scoring takes `inversion.num_steps` passes
through both networks, forward and back, for each image.
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration.

  Args:
    category: of MVTec AD, e.g. 'screw'.
  """
  config = base.get_config('anogan', category)
  config.image_size = 64  # The paper's, and DCGAN's.
  config.batch_size = 64  # Published code.
  # The paper's 20 epochs are of a large set of patches. Chosen here: as many
  # steps as DAGAN takes, which Table 2 compares with.
  config.num_steps = 20_000
  config.generator = ConfigDict()
  # Features of the level next to the image; they double at each level inwards
  # up to the maximum (DCGAN).
  config.generator.base_features = 64
  config.generator.max_features = 512
  config.generator.latent_features = 100  # Length of z, uniform in [-1, 1].
  config.discriminator = ConfigDict()
  # As the generator's unless set (DCGAN).
  config.discriminator.base_features = config.generator.get_oneway_ref(
    'base_features'
  )
  config.discriminator.max_features = 512
  config.optimizer.learning_rate = 2e-4  # Adam, as DCGAN.
  config.optimizer.beta1 = 0.5
  config.optimizer.beta2 = 0.999
  # Updates of the generator for each of the discriminator: the paper has one,
  # published code two.
  config.optimizer.generator_updates = 1
  config.inversion = ConfigDict()
  config.inversion.num_steps = 500  # Updates of z for each image (the paper).
  # Of Adam. Chosen here: with the 0.001 of published code z moves by half of
  # its range at most.
  config.inversion.learning_rate = 0.01
  # A(x) = γ R(x) + (1 − γ) D(x), both sums; the paper's λ is 1 − γ.
  config.score.gamma = 0.9
  # Small training sets: an epoch has a few steps.
  config.checkpoint.every_epochs = 500
  config.log.panel_every_epochs = 0  # A panel takes as long as scoring.
  return config

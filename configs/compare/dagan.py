"""DAGAN (Tang et al., Sensors 2020, 20, 3336), a method of Table 2.

  python main.py --config=configs/compare/dagan.py:screw

Its authors published no code. "The other code" is one by others,
https://github.com/Snagnar/CompetitiveReconstructionNetworks.
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: of MVTec AD, e.g. 'screw'.
  """
  config = base.get_config('dagan', category)
  # The other code's. The paper has 128 and 256 px for its own images.
  config.image_size = 128
  config.batch_size = 64  # The other code's.
  config.num_steps = 20_000  # The paper's for MVTec AD.

  config.generator = ConfigDict()
  config.generator.base_features = 64  # Skip-GANomaly's, and the other code's.
  config.generator.max_features = 512  # Likewise.

  config.discriminator = ConfigDict()
  # Features at the image's size; the other code's.
  config.discriminator.base_features = 64
  # Times that it halves the image and doubles its features; the other code's.
  config.discriminator.num_levels = 2

  config.loss = ConfigDict()
  # Weights of the paper, 1 : 40 : 1. The generator minimises the first two
  # terms; the discriminator the last, its own reconstruction's, less the first.
  config.loss.adversarial_weight = 1.0
  config.loss.reconstruction_weight = 40.0
  config.loss.discriminator_reconstruction_weight = 1.0
  # The norm of all three: 'mean_square' (the other code) or
  # 'root_mean_square', the paper's L2 norm for each element.
  config.loss.distance = 'mean_square'

  config.optimizer.learning_rate = 1e-3  # The paper's; Adam.
  # Not known; Skip-GANomaly's.
  config.optimizer.beta1 = 0.5
  config.optimizer.beta2 = 0.999
  return config

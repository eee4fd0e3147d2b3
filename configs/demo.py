"""A first look: the embedded data set, small enough for two CPU cores.

  python main.py --config=configs/demo.py

The paper's recipe needs hours on a processor. This one has two minutes, in
which the adversarial game does not settle: it counts for a tenth, the learning
rate is ten times the paper's, and the score is the reconstruction error alone.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = default.get_config()
  config.image_size = 64
  config.batch_size = 16
  config.num_epochs = 100
  config.generator.base_features = 16
  config.generator.max_features = 128
  config.discriminator.max_features = 128
  config.loss.adversarial_weight = 0.1
  config.loss.latent_weight = 0.1
  config.optimizer.learning_rate = 2e-3
  config.score.gamma = 1.0
  return config

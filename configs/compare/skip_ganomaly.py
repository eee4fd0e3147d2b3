"""Skip-GANomaly (Akçay et al., IJCNN 2019), a method of Table 2.

  python main.py --config=configs/compare/skip_ganomaly.py:screw

"The code" is the one that its authors published,
https://github.com/samet-akcay/skip-ganomaly. Nothing is published for MVTec AD:
the row of Table 2 is from the paper on DAGAN, which gives no settings.
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one category.

  Args:
    category: of MVTec AD, e.g. 'screw'.
  """
  config = base.get_config('skip_ganomaly', category)
  config.image_size = 128  # Chosen; the code has 32, for CIFAR-10.
  config.batch_size = 64  # The code's.
  config.num_steps = 20_000  # As DAGAN on MVTec AD.

  config.generator = ConfigDict()
  config.generator.base_features = 64  # The code's.
  config.generator.max_features = 512  # The code's.
  config.discriminator = _discriminator()
  config.loss = _loss()

  # The code's; it builds a schedule of the learning rate but never uses it.
  config.optimizer.learning_rate = 2e-4
  config.optimizer.beta1 = 0.5
  config.optimizer.beta2 = 0.999

  # A(x) = γ R(x) + (1 − γ) L(x): 0.9 in the code and the paper.
  config.score.gamma = 0.9
  # R(x), the residual, as a mean of squares ('squared', the code) or of
  # absolute values ('absolute', the paper). L(x) is a mean of squares.
  config.score.error = 'squared'
  return config


def _discriminator() -> ConfigDict:
  discriminator = ConfigDict()
  discriminator.base_features = 64  # The code's.
  # The code has no maximum; this is the width of the last level at 256 px.
  discriminator.max_features = 2048
  discriminator.latent_features = 100  # Length of f, the code's.
  # Reinitialise it, with its optimizer, if its total loss falls below this; 0
  # for never. The code's value; it keeps Adam's moments.
  discriminator.reset_below = 1e-5
  return discriminator


def _loss() -> ConfigDict:
  loss = ConfigDict()
  loss.adversarial_weight = 1.0  # The code's, and the paper's.
  loss.reconstruction_weight = 40.0  # The paper's; the code has 50.
  loss.latent_weight = 1.0  # The code's, and the paper's.
  # Of the latent loss in the discriminator's loss, which minimises it like the
  # generator: the code has it with the same weight. 0 for the generator only.
  loss.discriminator_latent_weight = loss.get_oneway_ref('latent_weight')
  return loss

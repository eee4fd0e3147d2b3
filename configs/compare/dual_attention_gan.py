"""Dual-AttentionGAN (Li et al., Sensors 2022, 22, 5141), of Table 2.

  python main.py --config=configs/compare/dual_attention_gan.py:screw

The article has no public code, and only its abstract and outline were at hand:
attention in the encoder, three parts of a consistency loss, random erasing and
the order of updates are its own; all numbers are chosen here, and marked so.
"""

from ml_collections import ConfigDict

from configs.compare import base


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for a category of MVTec AD."""
  config = base.get_config('dual_attention_gan', category)
  config.image_size = 256  # Chosen here: as AFGAN's.
  config.batch_size = 32  # Chosen here.
  config.num_epochs = 400  # Chosen here: as AFGAN's.

  # Random erasing (article), with the defaults of Zhong et al., AAAI 2020; the
  # target of the reconstruction is the image without it.
  config.augmentation.kind = 'random_erasing'
  config.augmentation.probability = 0.5
  config.augmentation.area_ratio = (0.02, 0.4)
  config.augmentation.aspect_ratio = (0.3, 3.3)

  config.generator = _generator()
  config.discriminator = ConfigDict()
  # As wide as the generator; chosen here.
  config.discriminator.base_features = config.generator.get_oneway_ref(
    'base_features'
  )
  config.discriminator.max_features = config.generator.get_oneway_ref(
    'max_features'
  )
  config.loss = _loss()
  return config


def _generator() -> ConfigDict:
  generator = ConfigDict()
  # Features of the first level; they double at each level up to the maximum.
  # Chosen here: as AFGAN's.
  generator.base_features = 64
  generator.max_features = 512
  generator.latent_features = 512  # Chosen here.
  # Levels with attention, from the first; more than there are for all. Chosen
  # here.
  generator.attention_levels = 4
  # Ratio of a level's features to those of the bottleneck in channel attention
  # (Dai et al. 2021) and in pixel attention (chosen here).
  generator.attention_reduction = 4
  generator.pixel_reduction = 8
  return generator


def _loss() -> ConfigDict:
  loss = ConfigDict()
  # Chosen here. The last three, the consistency loss, also weigh the score.
  loss.adversarial_weight = 1.0
  loss.reconstruction_weight = 40.0  # L1 of pixels.
  loss.ssim_weight = 10.0  # 1 − SSIM.
  loss.gradient_weight = 10.0  # L1 of finite differences.
  return loss

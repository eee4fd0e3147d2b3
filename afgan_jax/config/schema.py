"""The values that single fields of a configuration may have."""

import math

_NORMS = ('batch', 'group')
CHOICES = {
  'dtype': ('float32', 'bfloat16'),
  'data.placement': ('host', 'device'),
  'generator.fusion': ('aff', 'concat', 'none'),
  'generator.aff_gate': ('sigmoid', 'product'),
  'optimizer.first': ('discriminator', 'generator'),
  'norm.kind': _NORMS,
  'generator.aff_norm': _NORMS,
  'discriminator.norm': _NORMS,
  'augmentation.kind': ('cut_paste', 'random_erasing', 'none', 'mixture'),
  'score.image': ('paper', 'max', 'top_k'),
  'score.map': (
    'residual',
    'smoothed_residual',
    'gradient_similarity',
    'mix',
    'segmentation',
  ),
  'predict.overlay': ('jpeg', 'png', 'none'),
}
# Fields that hold several of these.
SUBSETS = {
  'augmentation.mixture.shapes': ('blob', 'scar', 'rectangle'),
  'augmentation.mixture.contents': (
    'patch',
    'displaced',
    'color',
    'noise',
    'light',
    'blur',
  ),
}
SIZES = (16, 32, 64, 128, 256, 512, 1024)
POSITIVE = (
  'num_epochs',
  'score.batch_size',
  'score.top_k',
  'generator.base_features',
  'generator.max_features',
  'generator.aff_reduction',
  'discriminator.base_features',
  'discriminator.max_features',
  'discriminator.latent_features',
  'segmentation.base_features',
  'segmentation.max_features',
  'segmentation.num_levels',
  'augmentation.mixture.max_defects',
  'norm.epsilon',
  'optimizer.learning_rate',
  'log.every_steps',
  'checkpoint.every_epochs',
  'checkpoint.max_to_keep',
  'benchmark.num_steps',
)
RANGES = {
  'num_steps': (0, math.inf),
  'seed': (0, 2**31 - 1),
  'norm.momentum': (0, 1),
  'augmentation.probability': (0, 1),
  'augmentation.rotation': (0, 180),
  'augmentation.color_jitter': (0, 1),
  'augmentation.mixture.seamless': (0, 1),
  'augmentation.mixture.on_object': (0, 1),
  'variation.rotation': (0, 180),
  'variation.shift': (0, 1),
  'variation.brightness': (0, 1),
  'variation.contrast': (0, 1),
  'segmentation.focus': (0, 10),
  'loss.adversarial_weight': (0, math.inf),
  'loss.reconstruction_weight': (0, math.inf),
  'loss.latent_weight': (0, math.inf),
  'loss.discriminator_latent_weight': (0, math.inf),
  'discriminator.reset_below': (0, math.inf),
  'loss.ssim_weight': (0, math.inf),
  'loss.segmentation_weight': (0, math.inf),
  'optimizer.beta1': (0, 1),
  'optimizer.beta2': (0, 1),
  'optimizer.decay_steps': (0, math.inf),
  'optimizer.average': (0, 0.999999),
  'score.gamma': (0, 1),
  'score.smoothing': (0, 0.25),
  'metrics.pixel_size': (0, 4096),
  'calibration.fraction': (0, 0.9),
  'calibration.false_reject_rate': (1e-6, 0.5),
}
PAIRS = {
  'augmentation.area_ratio': 1,
  'augmentation.aspect_ratio': 100,
  'augmentation.scale': 10,
  'augmentation.mixture.radius': 0.5,
  'augmentation.mixture.opacity': 1,
  'variation.scale': 10,
}

"""An ablation study of the better recipe, without the test set.

  python main.py --mode=study --config=configs/plus/ablations.py \
    --config.data.path=DIR \
    --config.study.categories="('mvtec_ad/screw', 'magnetic_tile')"

Small, so that a run takes minutes on a CPU. Measured on held-out good images
with synthetic defects of kinds that are not used in training.
"""

from ml_collections import ConfigDict

from configs.paper import variants
from configs.plus import folder, recipe

VARIANTS = {
  'plus': {},
  # Parts of the paper's recipe, added one by one.
  'with_game': {'loss': {'adversarial_weight': 0.1}},
  'with_latent': {'loss': {'adversarial_weight': 0.1, 'latent_weight': 0.1}},
  'cut_paste': {'augmentation': {'kind': 'cut_paste'}},
  # Without one part each.
  'no_head': {
    'loss': {'segmentation_weight': 0.0},
    'score': {'map': 'smoothed_residual'},
  },
  'no_average': {'optimizer': {'average': 0.0}},
  'no_decay': {'optimizer': {'decay_steps': 0}},
  'no_light': {'variation': {'brightness': 0.0, 'contrast': 0.0}},
  'no_motion': {
    'variation': {'rotation': 0.0, 'scale': (1.0, 1.0), 'shift': 0.0}
  },
  'no_pose': {'data': {'geometry': 'stretch'}},
  'no_normalized_brightness': {'data': {'normalize_brightness': False}},
  'no_seamless': {'augmentation': {'mixture': {'seamless': 0.0}}},
  'anywhere': {'augmentation': {'mixture': {'on_object': 0.0}}},
  # Other values.
  # 4 divides the features of the narrowest fusion. The figures in
  # docs/ladder.md are of groups of 16, reduced to 4 and 8 in narrow fusions.
  'group_norm': {'norm': {'kind': 'group', 'group_size': 4}},
  'focal': {'segmentation': {'focus': 2.0}},
  'ssim': {'loss': {'ssim_weight': 10.0}},
  'strong': {'augmentation': {'mixture': {'opacity': (0.5, 1.0)}}},
  'few': {'augmentation': {'mixture': {'max_defects': 2}}},
  'mirrored': {'variation': {'flip_rows': True, 'flip_columns': True}},
  'concat': {'generator': {'fusion': 'concat'}},
  'no_fusion': {'generator': {'fusion': 'none'}},
}


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = folder.get_config()
  config.data.geometry = 'stretch'  # As the figures were measured.
  variants.shrink(config)
  config.num_steps = 2500
  config.calibration.fraction = 0.2
  config.study = variants.study(
    VARIANTS, reference='plus', measure='validation'
  )
  config.study.category_fields.update(recipe.CATEGORY_FIELDS)
  return config

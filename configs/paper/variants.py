"""Variants compared in Tables 3 and 4, and helpers to build studies."""

from ml_collections import ConfigDict

from configs import mvtec_ad

TEXTURES = ('carpet', 'grid', 'leather', 'tile', 'wood')
OBJECTS = (
  'bottle',
  'cable',
  'capsule',
  'hazelnut',
  'metal_nut',
  'pill',
  'screw',
  'toothbrush',
  'transistor',
  'zipper',
)

# Struct 4 of Table 4 is State 4 of Table 3.
VARIANTS = {
  name: {'generator': {'fusion': fusion}, 'augmentation': {'kind': kind}}
  for name, fusion, kind in (
    ('state_1', 'none', 'none'),
    ('state_2', 'none', 'cut_paste'),
    ('state_3', 'aff', 'none'),
    ('state_4', 'aff', 'cut_paste'),
    ('struct_1', 'concat', 'random_erasing'),
    ('struct_2', 'aff', 'random_erasing'),
    ('struct_3', 'concat', 'cut_paste'),
  )
}


def get_config(variant: str, category: str = '') -> ConfigDict:
  """Returns the configuration of one column of Table 3 or 4 on one category.

  Args:
    variant: key of `VARIANTS`.
    category: of MVTec AD, e.g. 'screw'.
  """
  config = mvtec_ad.get_config(category, texture=category in TEXTURES)
  follow_paper(config)
  config.update(VARIANTS[variant])
  return config


def follow_paper(config: ConfigDict) -> None:
  """Resets the improvements of the category configs to the paper's choices.

  Args:
    config: changed in place.
  """
  config.calibration.fraction = 0.0  # The paper holds out none.
  config.data.normalize_brightness = False
  config.score.image = 'paper'  # Eq 13.


def shrink(config: ConfigDict) -> None:
  """Shrinks networks and images so that a run takes minutes on a CPU.

  Args:
    config: changed in place; also keeps only the last checkpoint.
  """
  config.image_size = 64
  config.generator.base_features = 16
  for network in ('generator', 'discriminator', 'segmentation'):
    config[network].max_features = 128
  config.segmentation.num_levels = 4
  config.checkpoint.max_to_keep = 1


def study(
  variant_fields: dict[str, dict], reference: str, measure: str = 'test'
) -> ConfigDict:
  """Returns the group `study` of a config, for --mode=study.

  Args:
    variant_fields: for each variant the fields that it sets, in groups as in
      `configs/default.py`.
    reference: the variant that the others are compared with.
    measure: 'test', or 'validation', which does not read the test set and
      measures on synthetic defects, for model selection.
  """
  group = ConfigDict()
  # Runs of the study; select fewer on the command line. Categories are those of
  # MVTec AD, or, with config.data.source=folder, folders in config.data.path.
  group.categories = TEXTURES + OBJECTS
  group.variants = tuple(variant_fields)
  group.seeds = (0, 1, 2)
  group.reference = reference
  group.measure = measure
  # K for cross-validation: K runs instead of one, each with another fold of the
  # parts (config.data.part, else images) held out and measured on, with
  # measure='validation'; 0 for none.
  group.folds = 0
  # Measure the ensemble of the seeds of each variant as well. They must hold
  # out the same images, so set `calibration.seed` too.
  group.ensemble = False
  group.variant_fields = ConfigDict(variant_fields)
  # Colour jitter only for textures (§3.2).
  jitter = mvtec_ad.get_config(texture=True).augmentation.color_jitter
  group.category_fields = ConfigDict(
    {name: {'augmentation': {'color_jitter': jitter}} for name in TEXTURES}
  )
  return group

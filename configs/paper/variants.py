"""What Tables 3 and 4 of the paper compare, written once for this folder."""

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
  """Returns one column of Table 3 or 4 on one category.

  Args:
    variant: a name of `VARIANTS`.
    category: of MVTec AD, e.g. 'screw'.
  """
  config = mvtec_ad.get_config(category, texture=category in TEXTURES)
  follow_paper(config)
  config.update(VARIANTS[variant])
  return config


def follow_paper(config: ConfigDict) -> None:
  """Sets back what the configs of categories do better than the paper.

  Args:
    config: changed in place.
  """
  config.calibration.fraction = 0.0  # The paper holds out none.
  config.data.normalize_brightness = False
  config.score.image = 'paper'  # Eq 13.


def shrink(config: ConfigDict) -> None:
  """Makes networks and images so small that a run takes minutes on a processor.

  Args:
    config: changed in place; it keeps one checkpoint, the last.
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
    reference: the variant with which the others are compared.
    measure: 'test', or 'validation', which leaves the test set unread and
      measures on synthetic defects, to choose by.
  """
  group = ConfigDict()
  # Which are run; fewer can be named on the command line. Categories are those
  # of MVTec AD, or, with config.data.source=folder, folders in
  # config.data.path.
  group.categories = TEXTURES + OBJECTS
  group.variants = tuple(variant_fields)
  group.seeds = (0, 1, 2)
  group.reference = reference
  group.measure = measure
  group.variant_fields = ConfigDict(variant_fields)
  # Colour jitter for textures alone (§3.2).
  jitter = mvtec_ad.get_config(texture=True).augmentation.color_jitter
  group.category_fields = ConfigDict(
    {name: {'augmentation': {'color_jitter': jitter}} for name in TEXTURES}
  )
  return group

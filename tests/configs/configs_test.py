import importlib
import json
import pathlib

import pytest
from ml_collections import ConfigDict

from afgan_jax.config import store as configuration
from afgan_jax.config.derived import steps_per_epoch
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.rules import check_config
from afgan_jax.study.plan import make_plan
from afgan_jax.system.errors import UsageError
from configs import default, demo
from configs.paper import stability, tables, variants
from configs.plus import ablations, comparison, ladder, processor
from configs.plus import folder as plus_folder
from configs.plus import mvtec_ad as plus_mvtec_ad
from datasets.mvtec_ad import CATEGORIES, TEXTURES

FOLDER = pathlib.Path(default.__file__).parent
NAMES = sorted(p.stem for p in FOLDER.glob('*.py') if p.stem != '__init__')
# One column of Table 3 or 4 each.
PAPER = sorted(
  f'paper.{p.stem}'
  for kind in ('state', 'struct')
  for p in FOLDER.glob(f'paper/{kind}_*.py')
)
PLUS = ['plus.folder', 'plus.mvtec_ad', 'plus.processor', 'plus.public']


@pytest.mark.parametrize('name', NAMES + PAPER + PLUS)
def test_every_config_is_valid_and_has_the_default_fields(name):
  config = importlib.import_module(f'configs.{name}').get_config()
  check_config(config, num_devices=1)
  assert (
    configuration.flatten(config).keys()
    == configuration.flatten(default.get_config()).keys()
  )


@pytest.mark.parametrize(
  ('leader', 'follower', 'get_config'),
  [
    ('image_size', 'tile_size', default.get_config),
    (
      'generator.base_features',
      'discriminator.base_features',
      default.get_config,
    ),
    (
      'generator.base_features',
      'segmentation.base_features',
      default.get_config,
    ),
    ('num_steps', 'optimizer.decay_steps', plus_folder.get_config),
    (
      'loss.latent_weight',
      'loss.discriminator_latent_weight',
      default.get_config,
    ),
  ],
)
def test_fields_follow_others_until_they_are_set(leader, follower, get_config):
  config = get_config()
  config.update_from_flattened_dict({leader: 64})
  assert configuration.flatten(config)[follower] == 64
  config.update_from_flattened_dict({follower: 32})
  flat = configuration.flatten(config)
  assert (flat[leader], flat[follower]) == (64, 32)


def test_defaults_are_those_of_the_paper():
  config = default.get_config()
  assert (config.image_size, config.batch_size, config.num_epochs) == (
    256,
    64,
    400,
  )
  assert config.optimizer.to_dict() == {
    'learning_rate': 2e-4,
    'beta1': 0.5,
    'beta2': 0.999,
    'decay_steps': 0,
    'average': 0.0,
    'first': 'discriminator',
  }
  assert config.loss.to_dict() == {
    'adversarial_weight': 1.0,
    'reconstruction_weight': 40.0,
    'latent_weight': 1.0,
    'discriminator_latent_weight': 1.0,
    'ssim_weight': 0.0,
    'segmentation_weight': 0.0,
  }
  assert config.augmentation.area_ratio == (0.02, 0.15)
  assert config.score.gamma == 0.9
  assert config.calibration.fraction == 0.1


@pytest.mark.parametrize('category', CATEGORIES)
def test_each_category_has_its_config(category):
  config = importlib.import_module(f'configs.{category}').get_config()
  assert config.data.source == 'mvtec_ad'
  assert config.data.path == 'data/mvtec_ad'
  assert config.data.category == category
  # §3.2 jitters the colour of textures.
  assert (config.augmentation.color_jitter > 0) == (category in TEXTURES)


# `generator.fusion` and `augmentation.kind`, see docs/readings.md.
@pytest.mark.parametrize(
  ('name', 'fusion', 'kind'),
  [
    ('state_1', 'none', 'none'),
    ('state_2', 'none', 'cut_paste'),
    ('state_3', 'aff', 'none'),
    ('state_4', 'aff', 'cut_paste'),
    ('struct_1', 'concat', 'random_erasing'),
    ('struct_2', 'aff', 'random_erasing'),
    ('struct_3', 'concat', 'cut_paste'),
    ('struct_4', 'aff', 'cut_paste'),
  ],
)
def test_each_column_of_the_paper_has_its_config(name, fusion, kind):
  assert f'paper.{name}' in PAPER and len(PAPER) == 8
  module = importlib.import_module(f'configs.paper.{name}')
  for category in ('carpet', 'screw'):
    config = module.get_config(category)
    expected = importlib.import_module(f'configs.{category}').get_config()
    expected.calibration.fraction = 0.0  # The paper holds out none.
    expected.data.normalize_brightness = False
    expected.score.image = 'paper'
    expected.generator.fusion = fusion
    expected.augmentation.kind = kind
    assert configuration.flatten(config) == configuration.flatten(expected)


def test_the_study_has_the_default_fields_and_a_group():
  config = tables.get_config()
  check_config(config, num_devices=1)
  group = config.study
  assert set(group.categories) == set(CATEGORIES)
  assert set(variants.TEXTURES) == set(TEXTURES)
  assert group.variants == tuple(variants.VARIANTS)
  with config.unlocked():
    del config.study
  assert (
    configuration.flatten(config).keys()
    == configuration.flatten(default.get_config()).keys()
  )


def test_discriminator_is_as_wide_as_the_generator_unless_set():
  config = default.get_config()
  config.generator.base_features = 32
  assert config.discriminator.base_features == 32
  config.discriminator.base_features = 16
  assert config.discriminator.base_features == 16


def test_configs_survive_save_and_load():
  config = demo.get_config()
  restored = ConfigDict(json.loads(configuration.to_json(config)))
  assert configuration.flatten(restored) == configuration.flatten(config)
  assert configuration.digest(restored) == configuration.digest(config)
  configuration.check_continues(restored, config)


def test_digest_changes_with_any_field():
  config = default.get_config()
  before = configuration.digest(config)
  config.loss.latent_weight = 2.0
  assert configuration.digest(config) != before


@pytest.mark.parametrize(
  ('num_images', 'steps'), [(60, 1), (320, 5), (8, 1), (100, 2), (391, 6)]
)
def test_an_epoch_is_the_rounded_number_of_batches(num_images, steps):
  config = default.get_config()  # Batches of 64.
  assert steps_per_epoch(config, num_images) == steps


@pytest.mark.parametrize(
  'field',
  [
    'num_epochs',
    'num_steps',
    'data.path',
    'score.gamma',
    'log.every_steps',
    'checkpoint.max_to_keep',
    'benchmark.num_steps',
  ],
)
def test_fields_that_may_change(field):
  stored, given = default.get_config(), default.get_config()
  value = 'x' if field == 'data.path' else 1
  given.update_from_flattened_dict({field: value})
  configuration.check_continues(stored, given)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('method', 'other'),
    ('seed', 5),
    ('image_size', 128),
    ('batch_size', 8),
    ('dtype', 'bfloat16'),
    ('data.placement', 'host'),
    ('data.category', 'screw'),
    ('generator.fusion', 'none'),
    ('augmentation.area_ratio', (0.1, 0.2)),
    ('loss.latent_weight', 2.0),
    ('optimizer.learning_rate', 1e-3),
    ('calibration.fraction', 0.2),
    ('norm.momentum', 0.5),
    ('norm.kind', 'group'),
    ('variation.rotation', 5.0),
    ('augmentation.mixture.contents', ('patch',)),
    ('loss.segmentation_weight', 1.0),
    ('loss.discriminator_latent_weight', 0.5),
    ('optimizer.average', 0.9),
    ('optimizer.first', 'generator'),
    ('discriminator.reset_below', 1e-5),
  ],
)
def test_fields_that_may_not_change(field, value):
  stored, given = default.get_config(), default.get_config()
  given.update_from_flattened_dict({field: value})
  with pytest.raises(UsageError, match=f'config.{field} '):
    configuration.check_continues(stored, given)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('dtype', 'float16'),
    ('image_size', 8),
    ('image_size', 96),
    ('tile_size', 8),
    ('tile_size', 512),
    ('batch_size', 0),
    ('num_epochs', 0),
    ('seed', -1),
    ('score.gamma', 1.5),
    ('calibration.fraction', 1.0),
    ('augmentation.area_ratio', (0.2, 0.1)),
    ('augmentation.area_ratio', (0.0, 0.1)),
    ('augmentation.area_ratio', (0.1, 1.5)),
    ('augmentation.probability', -0.1),
    ('generator.aff_gate', 'tanh'),
    ('norm.kind', 'instance'),
    ('discriminator.norm', 'none'),
    ('generator.aff_norm', 'none'),
    ('norm.group_size', 1),
    ('generator.base_features', 0),
    ('optimizer.learning_rate', 0.0),
    ('optimizer.learning_rate', float('nan')),
    ('num_steps', -1),
    ('optimizer.average', 1.0),
    ('optimizer.decay_steps', -1),
    ('loss.segmentation_weight', -1.0),
    ('loss.discriminator_latent_weight', -1.0),
    ('discriminator.reset_below', -1e-5),
    ('discriminator.reset_below', float('nan')),
    ('optimizer.first', 'both'),
    ('variation.scale', (0.0, 1.0)),
    ('augmentation.mixture.shapes', ()),
    ('augmentation.mixture.contents', ('patch', 'dust')),
    ('augmentation.mixture.opacity', (0.5, 1.5)),
    ('score.map', 'segmentation'),
    ('benchmark.device_counts', (1, 2)),
    ('benchmark.device_counts', (0,)),
    ('benchmark.device_counts', ('all',)),
    ('benchmark.batch_sizes', (8, -8)),
    ('benchmark.batch_sizes', (8.5,)),
    ('data.source', 'web'),
    ('data.geometry', 'crop'),
    ('data.procedural.num_train', 0),
    ('data.cache_gib', float('inf')),
    ('data.max_pixels', 0),
    ('data.white', float('nan')),
    ('loss.latent_weight', float('inf')),
    ('generator.aff_scale', float('nan')),
    ('log.panel_every_epochs', -1),
    ('benchmark.warmup_steps', -1),
    ('method', 'gan'),
  ],
)
def test_values_that_cannot_be(field, value):
  config = default.get_config()
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UsageError, match=f'config.{field} is '):
    check_config(config, num_devices=1)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('num_epochs', '4'),
    ('num_epochs', True),
    ('num_epochs', 4.0),
    ('num_epochs', None),
    ('image_size', 256.0),
    ('batch_size', [64]),
    ('score.gamma', '0.9'),
    ('norm.group_size', True),
    ('data.path', 7),
    ('data.skip_unreadable', 1),
    ('data.window', 1.0),
    ('augmentation.mixture.shapes', 'blob'),
    ('augmentation.mixture.shapes', (['blob'],)),
    ('benchmark.batch_sizes', 8),
    ('predict.colormap', b'jet'),
    ('seed', object()),
  ],
)
def test_values_of_another_type(field, value):
  config = default.get_config()
  with config.ignore_type():
    config.update_from_flattened_dict({field: value})
  with pytest.raises(UsageError, match=f'^config.{field} is .*must be .*\\.$'):
    check_config(config, num_devices=1)


def test_batches_of_the_benchmark_are_shared_by_all_its_devices():
  config = default.get_config()
  config.benchmark.device_counts = (1, 3)
  config.benchmark.batch_sizes = (6, 12)
  check_config(config, num_devices=4)
  config.benchmark.batch_sizes = (6, 8)
  with pytest.raises(UsageError, match='config.benchmark.batch_sizes is '):
    check_config(config, num_devices=4)
  config.benchmark.batch_sizes = ()
  with pytest.raises(UsageError, match='config.batch_size is 64.* of 3'):
    check_config(config, num_devices=4)


def test_a_margin_needs_a_score_of_the_map():
  config = default.get_config()
  config.score.margin = 0.05
  with pytest.raises(UsageError, match='config.score.margin is 0.05'):
    check_config(config, 1)
  config.score.image = 'max'
  check_config(config, 1)


def test_equation_13_needs_a_discriminator_that_was_trained():
  config = default.get_config()
  config.loss.adversarial_weight = config.loss.latent_weight = 0.0
  with pytest.raises(UsageError, match='config.score.gamma is 0.9'):
    check_config(config, num_devices=1)
  config.score.gamma = 1.0
  check_config(config, num_devices=1)


@pytest.mark.parametrize(
  ('fields', 'groups'),
  [
    ({}, True),
    ({'generator.base_features': 4}, False),  # A bottleneck of 1.
    ({'generator.base_features': 12}, False),  # Of 3, odd.
    ({'generator.max_features': 100}, False),  # Of 25 at the deepest levels.
    ({'generator.max_features': 260}, False),  # Of 65, from the fourth on.
    ({'generator.max_features': 260, 'image_size': 16}, True),  # Of 3 fusions.
    ({'generator.base_features': 4, 'generator.fusion': 'concat'}, True),
    ({'generator.base_features': 4, 'generator.aff_norm': 'batch'}, True),
  ],
)
def test_groups_of_one_feature_are_refused_in_fusions(fields, groups):
  config = default.get_config()
  config.norm.kind = 'group'
  config.norm.group_size = 2
  config.update_from_flattened_dict(fields)
  check_config(config, num_devices=1)  # Stored runs may be scored.
  if groups:
    check_group_sizes(config)
    return
  with pytest.raises(
    UsageError,
    match=r'config\.norm\.group_size is 2: .*config\.generator\.aff_reduction',
  ):
    check_group_sizes(config)


# By hand: a network of n levels doubles `base_features` up to `max_features`.
@pytest.mark.parametrize(
  ('fields', 'words'),
  [
    ({'norm.kind': 'group'}, None),
    ({'norm.kind': 'batch', 'norm.group_size': 7}, None),
    (
      {'norm.kind': 'group', 'generator.base_features': 16},
      'must divide 4, .* bottleneck of the generator.*; set it to 4',
    ),
    (
      {'norm.kind': 'group', 'generator.max_features': 264},
      'must divide 264, .* in the generator; set it to 2',
    ),
    (
      {'generator.aff_norm': 'group', 'norm.group_size': 24},
      "must divide 64, .* in the generator's fusions; set it to 8",
    ),
    (
      {
        'generator.aff_norm': 'group',
        'generator.fusion': 'concat',
        'norm.group_size': 24,
      },
      None,
    ),
    # The first level, of 8 and of 12, has no norm.
    ({'discriminator.norm': 'group', 'discriminator.base_features': 8}, None),
    (
      {'discriminator.norm': 'group', 'discriminator.base_features': 12},
      'must divide 24, .* in the discriminator; set it to 8',
    ),
    (
      {
        'discriminator.norm': 'group',
        'discriminator.base_features': 12,
        'loss.adversarial_weight': 0.0,
        'loss.latent_weight': 0.0,
        'score.gamma': 1.0,
      },
      None,
    ),
    (
      {
        'norm.kind': 'group',
        'loss.segmentation_weight': 1.0,
        'segmentation.base_features': 24,
      },
      'must divide 24, .* in the segmentation head; set it to 8',
    ),
    ({'norm.kind': 'group', 'segmentation.base_features': 24}, None),
    # The innermost of its levels, of 200, has no norm.
    (
      {
        'norm.kind': 'group',
        'loss.segmentation_weight': 1.0,
        'segmentation.max_features': 200,
        'segmentation.num_levels': 3,
      },
      None,
    ),
    (
      {
        'norm.kind': 'group',
        'loss.segmentation_weight': 1.0,
        'segmentation.max_features': 200,
      },
      'must divide 200, .* in the segmentation head; set it to 8',
    ),
    (
      {'norm.kind': 'group', 'generator.max_features': 65},
      'must divide 65, .* in the generator; no size fits',
    ),
  ],
)
def test_groups_divide_the_features_of_every_layer(fields, words):
  config = default.get_config()
  config.update_from_flattened_dict(fields)
  check_config(config, num_devices=1)
  if words is None:
    check_group_sizes(config)
    return
  with pytest.raises(
    UsageError, match=r'^config\.norm\.group_size is \d+: it ' + words
  ):
    check_group_sizes(config)


@pytest.mark.parametrize(
  'study', [tables, stability, ablations, comparison, ladder]
)
def test_groups_of_every_study_divide(study, tmp_path):
  config = study.get_config()
  config.study.seeds = (0,)  # Sizes do not depend on seeds.
  for run in make_plan(config, tmp_path, num_devices=1).runs:
    check_group_sizes(run.config)


@pytest.mark.parametrize(
  'fields',
  [
    {'augmentation.kind': 'mixture'},
    {'variation.flip_rows': True},
    {'tile_size': 128},
  ],
)
def test_the_host_makes_the_papers_augmentations_alone(fields):
  config = default.get_config()
  config.update_from_flattened_dict(fields)
  check_config(config, num_devices=1)
  config.data.placement = 'host'
  with pytest.raises(UsageError, match="config.data.placement is 'host'"):
    check_config(config, num_devices=1)


def test_only_what_is_thrown_down_is_turned():
  screw = plus_mvtec_ad.get_config('screw')
  assert screw.data.geometry == 'object'
  assert screw.variation.rotation < 10
  assert plus_mvtec_ad.get_config('leather').variation.rotation == 180
  for name in ('zipper', 'hazelnut', 'leather'):
    assert plus_mvtec_ad.get_config(name).data.geometry == 'auto'


@pytest.mark.parametrize(
  'window', [(0.5,), (0.5, 0.0), (2.1, 1.0), (1, 1, 1), ('a', 'b')]
)
def test_windows_that_cannot_be_cut_are_refused(window):
  config = default.get_config()
  config.data.window = window
  with pytest.raises(
    UsageError, match=r'config\.data\.window is .*two numbers'
  ):
    check_config(config, num_devices=1)


@pytest.mark.parametrize('template', ['AAAA', 'ä', 1152 * '*', 7])
def test_what_is_no_template_is_refused_in_a_short_sentence(template):
  config = default.get_config()
  with config.ignore_type():
    config.data.template = template
  with pytest.raises(
    UsageError, match=r'config\.data\.template is .*base64 of 1,152 bytes'
  ) as error:
    check_config(config, num_devices=1)
  assert len(str(error.value)) < 200


@pytest.mark.parametrize('part', ['part(', 7])
def test_what_is_no_pattern_finds_no_parts(part):
  config = default.get_config()
  with config.ignore_type():
    config.data.part = part
  with pytest.raises(UsageError, match=r'config\.data\.part is .*regular'):
    check_config(config, num_devices=1)


def test_a_range_of_words_is_refused():
  config = default.get_config()
  config.variation.scale = ('a', 'b')
  with pytest.raises(
    UsageError, match=r'config\.variation\.scale is .*numbers'
  ):
    check_config(config, num_devices=1)


def test_the_processors_size_changes_the_size_alone():
  small = configuration.flatten(processor.get_config('mvtec_ad/screw'))
  large = configuration.flatten(plus_mvtec_ad.get_config('screw'))
  changed = {name: v for name, v in small.items() if v != large[name]}
  assert changed.pop('image_size') == changed.pop('tile_size') == 128
  assert changed.pop('num_steps') == changed.pop('optimizer.decay_steps')
  assert set(changed) == {
    f'{network}.{field}'
    for network in ('generator', 'discriminator', 'segmentation')
    for field in ('base_features', 'max_features')
  }
  public = processor.get_config('public/visa/candle')
  assert (public.data.source, public.data.category) == ('visa', 'candle')


@pytest.mark.parametrize(
  ('name', 'words'),
  [('screw', 'give one of folder'), ('folder/x', "kind of images 'x': give")],
)
def test_unknown_configs_for_a_processor_are_refused(name, words):
  with pytest.raises(ValueError, match=words):
    processor.get_config(name)


def test_a_texture_differs_in_the_geometry_alone():
  for whole, texture in (
    (plus_folder.get_config(), plus_folder.get_config('texture')),
    (processor.get_config('folder'), processor.get_config('folder/texture')),
  ):
    whole, texture = map(configuration.flatten, (whole, texture))
    changed = {name: v for name, v in texture.items() if v != whole[name]}
    assert changed == {'data.geometry': 'tiles', 'data.scale': 0.5}
    assert texture.keys() == whole.keys()


def test_the_rate_falls_over_the_whole_of_the_better_recipe():
  config = plus_folder.get_config()
  assert config.optimizer.decay_steps == config.num_steps > 0
  config.num_steps = 100
  assert config.optimizer.decay_steps == 100


def test_fields_added_since_a_checkpoint_do_not_stop_it():
  stored, given = default.get_config(), default.get_config()
  with stored.unlocked():
    del stored.data.normalize_light
  updated = configuration.from_stored(stored.to_dict())
  configuration.check_continues(updated, given)
  with pytest.raises(UsageError, match='config.data.normalize_light'):
    configuration.check_continues(given, stored)


@pytest.mark.parametrize(
  ('group', 'field'),
  [
    ('score', 'map'),
    ('data', 'white'),
    ('data', 'path'),
    ('benchmark', 'batch_sizes'),
    ('norm', 'group_size'),
  ],
)
def test_a_config_without_a_field_is_told_so(group, field):
  config = default.get_config()
  with config.unlocked():
    del config[group][field]
  with pytest.raises(
    UsageError, match=f'config.{group}.{field}: let get_config'
  ):
    check_config(config, num_devices=1)


def test_a_config_without_a_group_is_told_so():
  config = default.get_config()
  with config.unlocked():
    del config.variation
  with pytest.raises(UsageError, match='no field config.variation.rotation:'):
    check_config(config, num_devices=1)

import pathlib

import pytest
from ml_collections import ConfigDict

from afgan_jax.config.checks import at_least
from afgan_jax.config.method_fields import METHOD_FIELDS, fields_of
from afgan_jax.config.schema import FIELDS, Field
from afgan_jax.config.store import digest, flatten
from afgan_jax.study.plan import make_plan
from afgan_jax.system.errors import UsageError
from configs import default
from configs.paper import state_4, tables
from configs.plus import ablations, comparison, ladder
from tests.support.fake_study import paper_config, study_config

ROOT = pathlib.Path('runs/x')


def plan(config):
  return make_plan(config, ROOT, num_devices=1)


def test_runs_go_seed_by_seed():
  study = plan(study_config(('x', 'y'), ('a', 'b'), (3, 1)))
  assert [(r.seed, r.category, r.variant) for r in study.runs] == [
    (3, 'x', 'a'),
    (3, 'x', 'b'),
    (3, 'y', 'a'),
    (3, 'y', 'b'),
    (1, 'x', 'a'),
    (1, 'x', 'b'),
    (1, 'y', 'a'),
    (1, 'y', 'b'),
  ]
  run = study.runs[-1]
  assert run.workdir == ROOT / 'y' / 'b' / 'seed_1'
  assert run.config.seed == 1
  assert 'study' not in run.config


def test_a_variant_sets_its_fields_and_no_other():
  config = study_config(('x',), ('a', 'b', 'c'), (0,))
  a, b, c = (flatten(run.config) for run in plan(config).runs)
  assert {k: v for k, v in a.items() if v != b[k]} == {
    'generator.fusion': 'none'
  }
  # The others are as wide as the generator, as on the command line.
  assert {k: v for k, v in c.items() if v != b[k]} == {
    'generator.base_features': 8,
    'discriminator.base_features': 8,
    'segmentation.base_features': 8,
    'loss.latent_weight': 2.0,
    'loss.discriminator_latent_weight': 2.0,
  }


def test_the_papers_side_of_the_comparison_is_the_papers():
  config = comparison.get_config()
  config.study.categories = ('mvtec_ad/screw', 'mvtec_ad/carpet')
  config.study.seeds = (0,)
  runs = {(run.category, run.variant): run for run in plan(config).runs}
  ours, paper, older, carpet = (
    flatten(runs[f'mvtec_ad/{category}', variant].config)
    for category, variant in (
      ('screw', 'plus'),
      ('screw', 'state_4'),
      ('screw', 'generator_alone'),
      ('carpet', 'state_4'),
    )
  )
  jitter = state_4.get_config('carpet').augmentation.color_jitter
  assert carpet['augmentation.color_jitter'] == jitter > 0
  expected = flatten(default.get_config())
  assert {name for name, v in paper.items() if v != expected[name]} == {
    'batch_size',
    'checkpoint.every_epochs',
    'checkpoint.max_to_keep',
    'data.source',
    'discriminator.base_features',
    'discriminator.max_features',
    'generator.base_features',
    'generator.max_features',
    'image_size',
    'num_steps',
    'segmentation.base_features',
    'segmentation.max_features',
    'tile_size',
  }
  assert paper['image_size'] == ours['image_size'] == 128
  assert ours['data.geometry'] == 'object'
  assert {name: v for name, v in older.items() if v != paper[name]} == {
    'loss.discriminator_latent_weight': 0.0
  }


@pytest.mark.parametrize('study', [ablations, ladder])
def test_each_ablation_changes_something_of_the_recipe(study):
  config = study.get_config()
  config.study.categories = ('mvtec_ad/screw',)
  config.study.seeds = (0,)
  runs = plan(config).runs
  digests = {run.variant: digest(run.config) for run in runs}
  assert len(set(digests.values())) == len(digests) == len(runs)
  # The recipe itself is that of the other study, and so are its stored runs.
  reference = config.study.reference
  base = ablations.get_config()
  base.study.categories, base.study.seeds = ('mvtec_ad/screw',), (0,)
  assert digests[reference] == digest(plan(base).runs[0].config)


def test_a_run_is_what_its_own_config_would_be():
  config = tables.get_config()
  config.study.categories = ('carpet', 'screw')
  config.study.variants = ('state_4',)
  for run in plan(config).runs:
    alone = state_4.get_config(run.category)
    alone.seed = run.seed
    alone.checkpoint.max_to_keep = config.checkpoint.max_to_keep
    assert digest(run.config) == digest(alone)


def test_categories_are_folders_and_textures_keep_their_jitter():
  study = plan(paper_config(('mvtec_ad/tile', 'nut'), ('state_4',), (0,)))
  tile, nut = (run.config for run in study.runs)
  assert (tile.data.path, nut.data.path) == (
    'images/mvtec_ad/tile',
    'images/nut',
  )
  assert (tile.augmentation.color_jitter, nut.augmentation.color_jitter) == (
    0.1,
    0.0,
  )
  assert study.mvtec_name('mvtec_ad/tile') == 'tile'
  assert study.mvtec_name('nut') is None
  # The embedded data set is no screw, whatever it is called.
  assert (
    plan(study_config(('screw',), ('b',), (0,))).mvtec_name('screw') is None
  )


@pytest.mark.parametrize(
  ('fields', 'sentence'),
  [
    ({'variants': ('a', 'd')}, "study.variants has 'd'.* a, b, c"),
    ({'variants': ()}, r'study.variants is \(\): name at least one'),
    ({'categories': ()}, r'study.categories is \(\): name at least one'),
    ({'categories': ('x', 'x')}, 'study.categories .* each once'),
    ({'categories': ('../x',)}, "study.categories has '../x'"),
    ({'categories': ('/x',)}, "study.categories has '/x'"),
    ({'categories': ('',)}, "study.categories has ''"),
    ({'categories': (1,)}, 'study.categories has 1'),
    ({'seeds': ()}, r'study.seeds is \(\)'),
    ({'seeds': ('a',)}, r"study.seeds is \('a',\): .*whole numbers"),
    ({'seeds': (-1,)}, 'study.seeds .*from 0'),
    ({'seeds': (2**31,)}, 'config.seed is 2147483648'),
    ({'reference': 'd'}, "study.reference has 'd'"),
  ],
)
def test_what_cannot_be_run_is_told(fields, sentence):
  config = study_config(('x',), ('a', 'b'), (0,))
  config.study.update(fields)
  with pytest.raises(UsageError, match=sentence):
    plan(config)


@pytest.mark.parametrize(
  ('fields', 'sentence'),
  [
    (
      {'generator': {'fusio': 'aff'}},
      'variant_fields.a sets generator.fusio, .*did you mean generator.fusion',
    ),
    ({'generator': 3}, 'variant_fields.a sets generator,'),
    (
      {'num_epochs': 'many'},
      "variant_fields.a sets num_epochs to 'many': .*that of 2",
    ),
    ({'generator': {'fusion': 'sum'}}, 'x, a, seed 0: config.generator.fusion'),
  ],
)
def test_fields_that_a_variant_cannot_set(fields, sentence):
  config = study_config(('x',), ('a', 'b'), (0,))
  config.study.variant_fields = ConfigDict({'a': fields, 'b': {}})
  with pytest.raises(UsageError, match=sentence):
    plan(config)


def test_categories_of_mvtec_ad_are_known():
  config = tables.get_config()
  config.study.categories = ('screw', 'scrow')
  with pytest.raises(UsageError, match="categories has 'scrow': .*screw"):
    plan(config)


def test_validation_is_not_set_beside_the_papers_figures():
  config = tables.get_config()
  assert plan(config).mvtec_name('screw') == 'screw'
  config.calibration.fraction = 0.1
  config.study.measure = 'validation'
  assert plan(config).mvtec_name('screw') is None


def test_a_variant_of_another_method_has_that_methods_fields(monkeypatch):
  own = {
    'generator.base_features': Field(at_least(1)),
    'inversion.steps': Field(at_least(1)),
  }
  monkeypatch.setitem(METHOD_FIELDS, 'x:Y', own)
  config = study_config(('x',), ('a', 'b'), (0,))
  with config.unlocked():
    config.study.variant_fields.a = ConfigDict(
      {'method': 'x:Y', 'inversion': {'steps': 3}}
    )
  a, b = (flatten(run.config) for run in plan(config).runs)
  assert a['inversion.steps'] == 3
  assert set(a) == set(FIELDS) | set(own)
  assert set(b) == set(fields_of('afgan'))
  # It has no field of AFGAN's, and needs its own.
  config.study.variant_fields.a = ConfigDict({'method': 'x:Y'})
  with pytest.raises(UsageError, match=r'no field config\.inversion\.steps'):
    plan(config)
  config.study.variant_fields.a = ConfigDict(
    {'method': 'x:Y', 'loss': {'latent_weight': 1.0}}
  )
  with pytest.raises(
    UsageError, match=r'sets loss\.latent_weight, which is no'
  ):
    plan(config)

"""Runs of the study of Table 2 are those of the methods' own configs."""

import importlib

import pytest

from afgan_jax.config import schema
from afgan_jax.config.store import flatten
from afgan_jax.study.plan import make_plan
from afgan_jax.study.results import score_title
from configs.compare import small
from configs.paper import state_4, table_2, variants

# Groups and fields of the study, for all methods.
SHARED = ('data.', 'calibration.', 'log.', 'checkpoint.')


def _runs(config, tmp_path):
  config.study.categories = ('tile', 'screw')
  config.study.seeds = (0,)
  runs = make_plan(config, tmp_path, num_devices=1).runs
  return {(run.category, run.variant): run.config for run in runs}


def _own(config):
  return {
    name: value
    for name, value in flatten(config).items()
    if not name.startswith(SHARED)
  }


def test_every_method_is_a_variant():
  study = table_2.get_config().study
  assert set(study.variants) == set(schema.METHODS)
  assert study.reference == 'afgan'
  assert len(study.categories) * len(study.seeds) == 45


@pytest.mark.parametrize('size', ['', 'small'])
@pytest.mark.parametrize('method', table_2.METHODS)
def test_a_run_has_the_fields_of_the_methods_config(method, size, tmp_path):
  runs = _runs(table_2.get_config(size), tmp_path)
  for category in ('tile', 'screw'):
    run = runs[category, method]
    module = importlib.import_module(f'configs.compare.{method}')
    alone = module.get_config(category)
    if size:
      small.shrink(alone)
    expected = _own(alone)
    # The study's, for all its runs; of cut-paste alone.
    jitter = runs[category, 'afgan'].augmentation.color_jitter
    expected['augmentation.color_jitter'] = jitter
    assert run.augmentation.kind in ('none', 'random_erasing')
    assert _own(run) == expected
    assert run.data.category == category
    assert run.calibration.fraction == 0


def test_the_reference_is_state_4(tmp_path):
  runs = _runs(table_2.get_config(), tmp_path)
  for category in ('tile', 'screw'):
    alone = state_4.get_config(category)
    assert _own(runs[category, 'afgan']) == _own(alone)


def test_all_methods_see_the_same_images(tmp_path):
  for config in (table_2.get_config(), table_2.get_config('small')):
    runs = _runs(config, tmp_path)
    for category in ('tile', 'screw'):
      images = {
        str(run.data) for key, run in runs.items() if key[0] == category
      }
      assert len(images) == 1


def test_small_runs_are_small(tmp_path):
  for run in _runs(table_2.get_config('small'), tmp_path).values():
    assert (run.image_size, run.tile_size) == (64, 64)
    assert (run.batch_size, run.num_steps) == (16, 3000)
    assert run.generator.base_features <= 16


def test_textures_are_seen_in_tiles_where_the_method_does(tmp_path):
  runs = _runs(table_2.get_config(), tmp_path)
  tile, screw = runs['tile', 'cbigan'], runs['screw', 'cbigan']
  assert (tile.image_size, tile.tile_size) == (512, 64)
  assert (screw.image_size, screw.tile_size) == (128, 128)
  assert variants.TEXTURES[0] in (
    table_2.get_config().study.variant_category_fields.cbigan
  )


def test_a_score_of_another_paper_is_not_called_by_this_papers_equation():
  assert score_title('paper', 'afgan') == 'eq 13'
  assert 'eq 13' not in score_title('paper', 'ganomaly')
  assert score_title('max', 'ganomaly') == score_title('max', 'afgan')

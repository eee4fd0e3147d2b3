"""A run with config.data.geometry='auto' chooses it once, by its images."""

import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.config.rules import check_config
from afgan_jax.detector import Detector
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.train import train
from afgan_jax.study.run import run_study
from afgan_jax.system.errors import ConfigConflict, UsageError
from configs.paper import variants
from datasets import load
from datasets.inspection import inspect
from tests.support.flange import draw_flange
from tests.support.quick_run import method_allowed, quick_config


def _write(folder, count, draw, side=64):
  rng = np.random.default_rng(count)
  folder.mkdir(parents=True, exist_ok=True)
  for index in range(count):
    pixels = draw(rng, side).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert('RGB').save(folder / f'{index:02}.png')


def _noise(rng, side):
  return rng.normal(128, 20, (side, side))


def _disc(rng, side):
  y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
  disc = np.where(x**2 + y**2 < 0.3, 60, 220)
  return disc + rng.normal(0, 3, (side, side)) * (disc < 100)


def _rod(rng, side):
  y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
  angle = rng.uniform(0, np.pi)
  along = x * np.cos(angle) + y * np.sin(angle)
  across = y * np.cos(angle) - x * np.sin(angle)
  return np.where((abs(across) < 0.15) & (abs(along) < 0.7), 60, 220)


def _flange(rng, side):
  part = draw_flange(rng.uniform(0, 360))[..., 0]
  return np.asarray(Image.fromarray(part).resize((side, side)), float)


@pytest.fixture
def texture(tmp_path):
  for name, count in (('train', 16), ('test', 4)):
    _write(tmp_path / 'set' / name / 'good', count, _noise)
  _write(tmp_path / 'set' / 'test' / 'loud', 3, lambda r, n: 3 * _noise(r, n))
  return tmp_path / 'set'


def _config(path, **fields):
  return quick_config(
    path,
    **{
      'num_steps': 20,
      'data.geometry': 'auto',
      'calibration.fraction': 0.25,
      **fields,
    },
  )


def _stored(workdir):
  return json.loads((workdir / 'config.json').read_text())['data']


def test_a_texture_is_divided_and_the_run_says_so(texture, tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  with method_allowed():
    train(_config(texture), tmp_path / 'run', load)
    stored = _stored(tmp_path / 'run')
    # Four squares of 16 px along 64 px.
    assert (stored['geometry'], stored['scale']) == ('tiles', 1.0)
    assert 'alike at every place' in caplog.text
    assert 'config.data.scale=1.0' in caplog.text
    detector = Detector.load(tmp_path / 'run')
    _, held_out = load.load_train(detector.config)
    assert len(held_out.large[0]().indices) == 49
    # A config that leaves it to the program takes the choice of the run.
    evaluation = evaluate(_config(texture), tmp_path / 'run', load)
    assert evaluation.config.data.geometry == 'tiles'
    left = Detector.load(tmp_path / 'run', **{'data.geometry': 'auto'})
    assert left.config.data.geometry == 'tiles'
    with pytest.raises(ConfigConflict, match=r"config.data.geometry \(was 'ti"):
      evaluate(
        _config(texture, **{'data.geometry': 'pad'}), tmp_path / 'run', load
      )


def test_the_choice_stays_when_a_run_is_continued(texture, tmp_path, caplog):
  with method_allowed():
    train(_config(texture), tmp_path / 'run', load)
    # By these images it would be another.
    _write(texture / 'train' / 'good', 16, _disc)
    caplog.set_level('INFO', 'afgan_jax')
    caplog.clear()
    trained = train(_config(texture, num_steps=30), tmp_path / 'run', load)
  assert trained.detector.step == 30
  assert trained.detector.config.data.geometry == 'tiles'
  assert 'place' not in caplog.text


def test_an_object_is_seen_as_a_whole(tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  _write(tmp_path / 'set' / 'train' / 'good', 16, _disc)
  with method_allowed():
    train(_config(tmp_path / 'set'), tmp_path / 'run', load)
  stored = _stored(tmp_path / 'run')
  assert (stored['geometry'], stored['scale']) == ('stretch', 1.0)
  assert 'differ from place to place' in caplog.text


@pytest.mark.parametrize(
  # An epoch is one of tiles, of which there are more than images.
  'length',
  [{'num_steps': 20}, {'num_steps': 0, 'num_epochs': 1}],
)
def test_a_study_takes_a_finished_run_for_finished(
  texture, tmp_path, caplog, length
):
  caplog.set_level('INFO', 'afgan_jax')
  config = _config(texture.parent, **length)
  config.study = variants.study({'plain': {}}, reference='plain')
  config.study.categories = ('set',)
  config.study.seeds = (0,)
  with method_allowed():
    assert run_study(config, tmp_path / 'study', load) == 0
    assert run_study(config, tmp_path / 'study', load) == 0
  assert '1 runs, 1 of them done before' in caplog.text


def test_inspection_shows_what_a_run_would_see(texture, tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  text = inspect(_config(texture), tmp_path / 'run')
  assert '16 ' in text and 'config.data.geometry=tiles' in caplog.text


def test_networks_that_see_crops_see_the_whole_image(texture):
  config = _config(texture, image_size=32, tile_size=16)
  assert load.choose_geometry(config).data.geometry == 'stretch'
  assert config.data.geometry == 'auto'  # A copy is returned.


def test_a_given_geometry_is_kept(texture):
  config = _config(texture, **{'data.geometry': 'pad'})
  assert load.choose_geometry(config) is config


@pytest.mark.parametrize(
  ('name', 'value'),
  [('scale', 0.25), ('window', (0.4, 1.0)), ('template', 1536 * 'A')],
)
def test_what_is_chosen_cannot_be_given(texture, name, value):
  config = _config(texture, **{f'data.{name}': value})
  with pytest.raises(UsageError, match=rf'data.{name}=.* has no use .*leave'):
    check_config(config, num_devices=1)


def test_a_region_of_interest_keeps_parts_where_they_are(tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  _write(tmp_path / 'set' / 'train' / 'good', 16, _rod)
  config = _config(tmp_path / 'set')
  chosen = load.choose_geometry(config)
  assert chosen.data.geometry == 'object' and chosen.data.window != (1.0, 1.0)
  config.data.roi = str(tmp_path / 'roi.png')
  assert load.choose_geometry(config).data.geometry == 'stretch'


@pytest.mark.parametrize('draw', [_rod, _flange])
def test_what_was_chosen_for_a_part_stays(tmp_path, draw):
  _write(tmp_path / 'set' / 'train' / 'good', 16, draw)
  with method_allowed():
    train(_config(tmp_path / 'set'), tmp_path / 'run', load)
    trained = train(
      _config(tmp_path / 'set', num_steps=30), tmp_path / 'run', load
    )
    again = Detector.load(tmp_path / 'run', **{'data.geometry': 'auto'})
  stored = _stored(tmp_path / 'run')
  geometry = trained.detector.preprocessor.geometry
  assert stored['geometry'] == geometry.kind == 'object'
  assert tuple(stored['window']) == geometry.window
  assert stored['template'] == geometry.template
  assert bool(geometry.template) == (draw is _flange)
  assert again.preprocessor.geometry == geometry

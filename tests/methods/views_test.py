import dataclasses
import functools

import jax
import numpy as np
import pytest

from afgan_jax.methods.afgan.method import AFGAN
from afgan_jax.methods.views import (
  View,
  average_views,
  list_views,
  move,
  restore,
)
from tests.support.made_up import made_up_detector
from tests.support.tiny import tiny_config

SIZE = 16


def _views(number, **variation):
  fields = {f'variation.{name}': value for name, value in variation.items()}
  return list_views(tiny_config(**{'score.views': number}, **fields))


def _images(channels=3):
  rng = np.random.default_rng(0)
  return rng.uniform(-1, 1, (2, SIZE, SIZE, channels)).astype(np.float32)


def _symmetries(**variation):
  return {(view.mirrored, view.turns) for view in _views(25, **variation)}


def test_views_differ_and_the_first_is_the_image_itself():
  for variation in ({}, {'rotation': 180.0, 'flip_rows': True}):
    views = _views(25, **variation)
    assert views[0] == (0, 0, False, 0)
    assert len({view[:2] for view in views}) == len(views) == 25
  assert [view[:2] for view in _views(5)] == [
    (0, 0),
    (-2, -2),
    (-2, 2),
    (2, -2),
    (2, 2),
  ]


def test_views_are_mirrored_and_rotated_only_where_good_parts_are():
  assert _symmetries() == _symmetries(rotation=4.0) == {(False, 0)}
  assert _symmetries(flip_columns=True) == {(False, 0), (True, 0)}
  # Top and bottom swapped: left and right, and half a turn.
  assert _symmetries(flip_rows=True) == {(False, 0), (True, 2)}
  assert len(_symmetries(flip_rows=True, flip_columns=True)) == 4
  assert _symmetries(rotation=90.0) == {(False, 0), (False, 1), (False, 3)}
  assert len(_symmetries(rotation=180.0)) == 4
  assert len(_symmetries(rotation=180.0, flip_rows=True)) == 8


@pytest.mark.parametrize('index', range(8))
def test_moving_back_gives_the_image_where_the_view_shows_it(index):
  view = _views(25, rotation=180.0, flip_rows=True)[index]
  images = _images(1)
  back = np.asarray(restore(move(images, view)[..., 0], view))
  same = back == images[..., 0]
  rows, columns = abs(view.rows), abs(view.columns)
  assert same.sum() >= 2 * (SIZE - rows) * (SIZE - columns)
  assert (back[~same] == 0).all()
  inner = slice(2, SIZE - 2)
  assert same[:, inner, inner].all()


def test_a_view_is_shifted_mirrored_and_turned_as_by_hand():
  # One bright pixel in row 5, column 3. Shifted up 2 and left 1 it is at
  # (3, 2), mirrored at (3, 13); a quarter turn counterclockwise moves it to
  # (2, 3).
  images = np.zeros((1, SIZE, SIZE, 1), np.float32)
  images[0, 5, 3] = 1
  moved = np.asarray(move(images, View(2, 1, True, 1)))[0, ..., 0]
  assert np.argwhere(moved).tolist() == [[2, 3]]


def test_maps_of_what_each_pixel_shows_average_to_themselves():
  images = _images()

  def see(x):
    return {
      'map': x[..., 0],
      'reconstruction': x,
      'error': x[:, SIZE // 2, SIZE // 2, 0],
    }

  views = _views(9, rotation=180.0, flip_columns=True)
  got = jax.jit(functools.partial(average_views, see, views=views))(images)
  np.testing.assert_allclose(got['map'], images[..., 0], atol=1e-6)
  np.testing.assert_array_equal(got['reconstruction'], images)
  middle = [np.asarray(move(images, view))[:, 8, 8, 0] for view in views]
  np.testing.assert_allclose(got['error'], np.mean(middle, axis=0), atol=1e-6)


@pytest.mark.parametrize('generator', ['image', 'high_pass'])
def test_score_is_that_of_the_mean_of_single_views(generator):
  fields = {'generator.input': generator, 'score.image': 'max'}
  fields |= {'tile_size': 16, 'image_size': 32, 'score.map': 'residual'}
  config = tiny_config(**fields)
  variables = AFGAN(config).init().scoring_variables
  pixels = (127.5 * (_images() + 1)).repeat(2, axis=1).repeat(2, axis=2)
  one = jax.jit(functools.partial(AFGAN(config).score, variables))
  config = tiny_config(**fields | {'score.views': 5})
  got = jax.jit(functools.partial(AFGAN(config).score, variables))(pixels)

  views = list_views(config)
  maps = [np.asarray(one(move(pixels, view))['map']) for view in views]
  # Far from the border every view shows each pixel.
  inner = slice(2, 30)
  want = np.mean(
    [np.asarray(restore(x, v)) for x, v in zip(maps, views, strict=True)], 0
  )
  np.testing.assert_allclose(
    got['map'][:, inner, inner], want[:, inner, inner], rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(got['score'], got['map'].max(axis=(1, 2)))
  np.testing.assert_array_equal(
    got['reconstruction'], one(pixels)['reconstruction']
  )


def test_a_threshold_is_for_its_number_of_views():
  one, five = tiny_config(), tiny_config(**{'score.views': 5})
  for config in (one, five):
    config.score.image = 'max'
  calibration = made_up_detector(**{'score.views': 5}).calibration
  assert calibration.changed_fields(five) == []
  assert calibration.changed_fields(one) == ['config.score.views (was 5, is 1)']
  # Versions without views stored no number of them.
  score = {k: v for k, v in calibration.score.items() if k != 'views'}
  old = dataclasses.replace(calibration, score=score)
  assert old.changed_fields(one) == []
  assert old.changed_fields(five) == ['config.score.views (was 1, is 5)']

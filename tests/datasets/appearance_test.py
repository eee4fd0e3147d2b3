import numpy as np
import pytest
from scipy import ndimage

from datasets.appearance import measure_appearance
from datasets.geometry_choice import choose_scale

COUNT = 20


def _texture(rng, shape):
  grain = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 60
  return 130 + grain


def _object(rng, shape, shift=0):
  """A striped square on a plain background."""
  image = np.full(shape, 200.0)
  height, width = shape
  rows = slice(height // 4 + shift, 3 * height // 4 + shift)
  stripes = 60 + 40 * (np.arange(width) // 4 % 2)
  image[rows, width // 4 : 3 * width // 4] = stripes[
    width // 4 : 3 * width // 4
  ]
  return image + rng.normal(0, 2, shape)


def _images(draw, shape=(160, 160), light=None):
  rng = np.random.default_rng(0)
  images = []
  for _ in range(COUNT):
    image = draw(rng, shape) * (1 if light is None else light)
    grey = np.clip(image, 0, 255).astype(np.uint8)
    images.append(np.repeat(grey[..., None], 3, axis=2))
  return images


def test_a_texture_is_alike_at_every_place():
  found = measure_appearance(_images(_texture))
  assert found.evenness > 0.8 and found.fixed < 0.05 and found.is_texture


def test_smooth_light_does_not_make_a_texture_an_object():
  light = np.linspace(0.6, 1.2, 160)[None] * np.linspace(1, 0.9, 160)[:, None]
  assert measure_appearance(_images(_texture, light=light)).is_texture


@pytest.mark.parametrize('light', [0.3, 1.0])
def test_an_object_on_a_plain_background_is_no_texture(light):
  found = measure_appearance(_images(_object, light=light))
  assert found.evenness < 0.3 and found.fixed > 0.9


def test_an_object_anywhere_on_a_plain_background_is_no_texture():
  def draw(rng, shape):
    return np.roll(_object(rng, shape), rng.integers(-30, 30, 2), (0, 1))

  found = measure_appearance(_images(draw))
  assert found.evenness < 0.3 and not found.is_texture


def test_a_board_that_is_busy_everywhere_is_no_texture():
  fixed = np.random.default_rng(9).normal(size=(160, 160))
  board = 130 + ndimage.gaussian_filter(fixed, 2) * 150
  found = measure_appearance(
    _images(lambda rng, shape: board + rng.normal(0, 3, shape))
  )
  assert found.evenness > 0.3 and found.fixed > 0.5 and not found.is_texture


def test_uniform_images_are_measured_without_warnings():
  images = [np.full((50, 60, 3), 128, np.uint8)] * 3
  assert measure_appearance(images).fixed == pytest.approx(0)


@pytest.mark.parametrize(
  ('shape', 'size', 'scale'),
  [
    ((160, 160), 32, 0.4),  # 2 · 32 / 160
    ((200, 160), 64, 0.8),
    ((160, 160), 100, 1.0),  # 1.6 squares along a side
    ((160, 160), 128, None),
    ((160, 600), 32, 0.4),
  ],
)
def test_two_squares_lie_along_the_shorter_side_of_a_texture(
  shape, size, scale
):
  found, reason = choose_scale(_images(_texture, shape), size)
  assert found == scale
  assert ('too small' in reason) == (scale is None)


def test_an_object_is_seen_as_a_whole():
  scale, reason = choose_scale(_images(_object), 32)
  assert scale is None and 'object' in reason


def test_a_few_images_decide_nothing():
  scale, reason = choose_scale(_images(_texture)[:9], 32)
  assert scale is None and 'fewer than 10' in reason

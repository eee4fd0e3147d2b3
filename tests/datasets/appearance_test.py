import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from afgan_jax.preprocessing.geometry import Geometry
from datasets.appearance import measure_appearance, thumbnail
from datasets.geometry_choice import choose_by_images
from tests.support.flange import draw_flange

COUNT = 20


def _texture(rng, shape):
  grain = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 60
  return 130 + grain


def _object(rng, shape):
  """A striped square on a plain background."""
  image = np.full(shape, 200.0)
  rows, columns = (slice(side // 4, 3 * side // 4) for side in shape)
  stripes = 60 + 40 * (np.arange(shape[1]) // 4 % 2)
  image[rows, columns] = stripes[columns]
  return image + rng.normal(0, 2, shape)


def _images(draw, shape=(160, 160), light=None):
  rng = np.random.default_rng(0)
  images = []
  for _ in range(COUNT):
    image = draw(rng, shape) * (1 if light is None else light)
    grey = np.clip(image, 0, 255).astype(np.uint8)
    images.append(np.repeat(grey[..., None], 3, axis=2))
  return images


def _measure(images):
  return measure_appearance([thumbnail(image) for image in images])


def test_a_texture_is_alike_at_every_place():
  found = _measure(_images(_texture))
  assert found.evenness > 0.8 and found.fixed < 0.05 and found.is_texture


def test_smooth_light_does_not_make_a_texture_an_object():
  light = np.linspace(0.6, 1.2, 160)[None] * np.linspace(1, 0.9, 160)[:, None]
  assert _measure(_images(_texture, light=light)).is_texture


@pytest.mark.parametrize('light', [0.3, 1.0])
def test_an_object_on_a_plain_background_is_no_texture(light):
  found = _measure(_images(_object, light=light))
  assert found.evenness < 0.3 and found.fixed > 0.9


def test_an_object_anywhere_on_a_plain_background_is_no_texture():
  def draw(rng, shape):
    return np.roll(_object(rng, shape), rng.integers(-30, 30, 2), (0, 1))

  found = _measure(_images(draw))
  assert found.evenness < 0.3 and not found.is_texture


def test_a_board_that_is_busy_everywhere_is_no_texture():
  fixed = np.random.default_rng(9).normal(size=(160, 160))
  board = 130 + ndimage.gaussian_filter(fixed, 2) * 150
  found = _measure(_images(lambda rng, shape: board + rng.normal(0, 3, shape)))
  assert found.evenness > 0.3 and found.fixed > 0.5 and not found.is_texture


def test_uniform_images_are_measured_without_warnings():
  images = [np.full((50, 60, 3), 128, np.uint8)] * 3
  assert _measure(images).fixed == pytest.approx(0)


@pytest.mark.parametrize(
  ('shape', 'size', 'scale'),
  [
    ((160, 160), 32, 0.8),  # 4 · 32 / 160
    ((500, 400), 64, 0.64),
    ((200, 160), 64, 1.0),
    ((160, 160), 100, 1.0),  # 1.6 squares along a side
    ((160, 160), 128, None),
    ((160, 600), 32, 0.8),
  ],
)
def test_four_squares_lie_along_the_shorter_side_of_a_texture(
  shape, size, scale
):
  fields, reason = choose_by_images(_images(_texture, shape), size)
  if scale is None:
    assert fields == {'geometry': 'stretch'} and 'too small' in reason
    assert 'at config.image_size=64 they are divided' in reason
  else:
    assert fields == {'geometry': 'tiles', 'scale': scale}


def _rod(rng, shape, angles=180, length=100, width=20):
  """A dark rod, heavier at one end, on a plain background."""
  y, x = np.mgrid[: shape[0], : shape[1]] - np.array(shape)[:, None, None] / 2
  angle = np.radians(rng.uniform(0, angles))
  along = x * np.cos(angle) + y * np.sin(angle)
  across = np.abs(y * np.cos(angle) - x * np.sin(angle))
  half = np.where(along < -length / 4, width / 2, width / 4)
  inside = (across < half) & (np.abs(along) < length / 2)
  return np.where(inside, 70.0, 210.0) + rng.normal(0, 1, shape)


def test_a_long_part_in_many_directions_is_turned_to_one():
  fields, reason = choose_by_images(_images(_rod, (160, 200)), 32)
  assert fields['geometry'] == 'object' and 'many directions' in reason
  # In parts of 200 px, with 0.08 on each side.
  assert fields['window'] == pytest.approx((0.26, 0.66), abs=0.03)


def _short(rng, shape):
  return _rod(rng, shape, length=60, width=60)


def _of_many_lengths(rng, shape):
  return _rod(rng, shape, length=rng.uniform(60, 100))


def _upside_down(rng, shape):
  image = _rod(rng, shape, angles=0)
  return image if rng.random() < 0.5 else image[::-1, ::-1]


def _with_holes(rng, shape):
  center = np.array([100, 100]) + rng.uniform(-5, 5, 2)
  return draw_flange(rng.uniform(0, 360), center)[..., 0]


def _at_many_places(rng, shape):
  return draw_flange(0, rng.uniform(80, 120, 2))[..., 0]


def _small(rng, shape):
  """A part that takes a fifth of the image's width."""
  part = draw_flange(rng.uniform(0, 360))[30:170, 30:170, 0]
  image = np.full(shape, 200, float)
  reduced = Image.fromarray(part).resize((40, 40), Image.Resampling.BOX)
  row, column = (rng.integers(9, side - 49) for side in shape)
  image[row : row + 40, column : column + 40] = reduced
  return image


@pytest.mark.parametrize(
  'draw',
  [
    _short,
    _of_many_lengths,
    _upside_down,
    _with_holes,
    _at_many_places,
    _small,
  ],
)
def test_other_parts_anywhere_are_registered(draw):
  images = _images(draw)
  fields, reason = choose_by_images(images, 32)
  assert fields['geometry'] == 'object' and 'by registration' in reason
  # All look the same in their windows, and nothing of a part is cut off.
  geometry = Geometry('object', fields['window'], template=fields['template'])
  cuts = [geometry.frame(image).cut(image, 64) for image in images]
  dark = np.stack(cuts)[..., 0] < 140
  share = dark.mean(axis=0)
  assert np.minimum(share, 1 - share).mean() < 0.05 < dark.mean()
  border = np.ones((64, 64), bool)
  border[1:-1, 1:-1] = False
  assert not dark[:, border].any()


def _disc(rng, shape):
  return draw_flange(0, holes=())[..., 0] + rng.normal(0, 2, (200, 200))


@pytest.mark.parametrize(
  'draw',
  [
    lambda rng, shape: _rod(rng, shape, angles=1),
    _disc,
    lambda rng, shape: _disc(rng, shape) * np.linspace(0.8, 1.2, 200),
    _object,
  ],
  ids=['one direction', 'round', 'in light from a side', 'aligned'],
)
def test_other_objects_are_seen_as_a_whole(draw):
  fields, reason = choose_by_images(_images(draw), 32)
  assert fields == {'geometry': 'stretch'} and 'object' in reason


def test_a_few_images_decide_nothing():
  fields, reason = choose_by_images(_images(_texture)[:9], 32)
  assert fields == {'geometry': 'stretch'} and 'fewer than 10' in reason

"""Squares cut out of images, and maps brought back, against drawn places."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from afgan_jax.preprocessing.geometry import GEOMETRIES, Geometry
from afgan_jax.preprocessing.pose import find_object
from afgan_jax.preprocessing.preprocessor import Preprocessor

SIDE = 200


def draw_pin(angle, center=(100, 100), brightness=1.0, spot=None):
  """Draws a dark pin with a head on a light ground, four times too large.

  Args:
    angle: in degrees, from the columns' direction to that of its point.
    center: column and row of its middle.
    brightness: factor on all levels.
    spot: share of the length from the middle, where a white spot lies.
  """
  axis = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
  across = np.array([-axis[1], axis[0]])
  image = Image.new('L', (4 * SIDE, 4 * SIDE), 200)
  pen = ImageDraw.Draw(image)

  def box(start, end, half, level):
    corners = [
      4 * (np.array(center) + along * axis + side * across)
      for along, side in (
        (start, -half),
        (start, half),
        (end, half),
        (end, -half),
      )
    ]
    pen.polygon([tuple(corner) for corner in corners], fill=level)

  box(-60, 60, 6, 60)
  box(-60, -48, 18, 60)
  if spot is not None:
    box(120 * spot - 4, 120 * spot + 4, 4, 255)
  levels = np.asarray(image.reduce(4), float) * brightness
  return np.repeat(np.rint(levels).astype(np.uint8)[..., None], 3, axis=-1)


@pytest.mark.parametrize('angle', [0, 30, 90, 137, 180, 255, 301])
@pytest.mark.parametrize('center', [(100, 100), (80, 115)])
def test_the_pose_is_that_with_which_the_pin_was_drawn(angle, center):
  pose = find_object(draw_pin(angle, center))
  expected = [np.cos(np.radians(angle)), np.sin(np.radians(angle))]
  assert np.degrees(np.arccos(np.clip(pose.axis @ expected, -1, 1))) < 1
  np.testing.assert_allclose(pose.center, center, atol=1)
  # Blurred, so a little larger than the drawn 120 × 36.
  np.testing.assert_allclose([pose.length, pose.width], [120, 36], atol=3)
  assert pose.radius == pytest.approx(np.hypot(60, 18), abs=3)


def test_the_pose_does_not_follow_the_lamp_or_the_size():
  pose = find_object(draw_pin(25))
  for brightness in (0.6, 1.2):
    other = find_object(draw_pin(25, brightness=brightness))
    np.testing.assert_allclose(other.center, pose.center, atol=0.2)
    np.testing.assert_allclose(other.axis, pose.axis, atol=2e-3)
  large = np.kron(draw_pin(25), np.ones((3, 3, 1))).astype(np.uint8)
  other = find_object(large)
  np.testing.assert_allclose(other.center, 3 * pose.center, atol=1)
  assert other.length == pytest.approx(3 * pose.length, rel=0.02)
  np.testing.assert_allclose(other.axis, pose.axis, atol=5e-3)


@pytest.mark.parametrize('shape', [(1, 1), (3, 40), (40, 3), (64, 64)])
def test_flat_images_have_a_pose_too(shape):
  pose = find_object(np.full((*shape, 3), 77, np.uint8))
  np.testing.assert_allclose(pose.center, [shape[1] / 2, shape[0] / 2])
  np.testing.assert_allclose(pose.axis, [1, 0])


def test_rounding_hardly_moves_the_pose():
  # One level of 140 between pin and ground, in every pixel by chance.
  rng = np.random.default_rng(0)
  pose = find_object(draw_pin(25))
  for _ in range(5):
    image = draw_pin(25) + rng.integers(0, 2, (SIDE, SIDE, 1), np.uint8)
    other = find_object(image)
    np.testing.assert_allclose(other.center, pose.center, atol=0.05)
    np.testing.assert_allclose(other.axis, pose.axis, atol=5e-4)


def test_two_levels_without_a_ground_have_a_pose_too():
  checkers = (np.indices((40, 40)).sum(axis=0) % 2 * 200).astype(np.uint8)
  pose = find_object(np.repeat(checkers[..., None], 3, axis=-1))
  assert np.isfinite(pose.center).all() and np.isfinite(pose.axis).all()


def test_noise_has_a_pose_too():
  noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
  pose = find_object(noise)
  assert np.isfinite(pose.center).all()
  np.testing.assert_allclose(np.linalg.norm(pose.axis), 1)


@pytest.mark.parametrize('window', [(0.4, 0.8), (1.0, 1.0), (1.5, 1.5)])
def test_turned_pins_look_the_same_in_their_window(window):
  geometry = Geometry('object', window)
  seen = []
  for angle, center in ((0, (100, 100)), (52, (92, 108)), (215, (110, 95))):
    image = draw_pin(angle, center)
    cut = geometry.frame(image).cut(image, 64)
    assert cut.shape == (64, 64, 3)
    seen.append(cut[..., 0].astype(float))
  for other in seen[1:]:
    assert np.abs(other - seen[0]).mean() < 2
    assert np.corrcoef(other.ravel(), seen[0].ravel())[0, 1] > 0.98
  # The head is on the left.
  dark = seen[0] < 130
  assert dark[:, :32].sum() > 1.2 * dark[:, 32:].sum()


def test_the_window_is_as_large_as_it_says():
  image = draw_pin(70)
  # 120 pixels long and 36 wide, in a window of 160 by 80.
  cut = Geometry('object', (0.4, 0.8)).frame(image).cut(image, 128)
  rows, columns = np.nonzero(cut[..., 0] < 130)
  assert abs(np.ptp(columns) + 1 - 128 * 120 / 160) <= 2
  assert abs(np.ptp(rows) + 1 - 128 * 36 / 80) <= 2


def test_beyond_the_image_its_edge_goes_on():
  image = draw_pin(0)
  cut = Geometry('object', (1.9, 1.9)).frame(image).cut(image, 32)
  assert (cut[:4] == 200).all() and (cut[-4:] == 200).all()


def test_a_geometry_that_nobody_chose_shows_nothing():
  with pytest.raises(ValueError, match="'auto' is not one of stretch, pad"):
    Geometry('auto').frame(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize('kind', GEOMETRIES)
@pytest.mark.parametrize('shape', [(120, 200), (200, 120), (133, 133)])
def test_maps_come_back_to_the_frame_of_their_image(kind, shape):
  image = np.full((*shape, 3), 30, np.uint8)
  row, column = shape[0] // 3, shape[1] // 4
  image[row - 6 : row + 7, column - 9 : column + 10] = 255
  frame = Geometry(kind).frame(image)
  back = frame.restore(frame.cut(image, 64)[..., 0])
  assert back.shape == shape
  assert back.dtype == np.float32
  bright = np.argwhere(back > 150)
  np.testing.assert_allclose(bright.mean(axis=0), [row, column], atol=2)


def test_a_map_is_zero_where_the_window_does_not_reach():
  frame = Geometry('object', (0.2, 0.7)).frame(draw_pin(45))
  back = frame.restore(np.ones((32, 32), np.float32))
  assert back[100, 100] == 1
  assert back[20, 180] == 0
  np.testing.assert_allclose(back.mean(), 0.2 * 0.7, atol=0.01)


@pytest.mark.parametrize('kind', GEOMETRIES)
@pytest.mark.parametrize('shape', [(120, 200), (200, 200)])
def test_cells_are_where_pixels_come_to_lie(kind, shape):
  image = np.full((*shape, 3), 200, np.uint8)
  image[30:60, 40:150] = 20
  frame = Geometry(kind, (1.2, 1.4)).frame(image)
  for row, column in ((35, 50), (58, 140), (40, 100)):
    dot = np.zeros(shape, np.uint8)
    dot[row, column] = 255
    cut = frame.cut(dot, 32)
    found = np.unravel_index(np.argmax(cut), cut.shape)
    cells = frame.cells(np.array([row]), np.array([column]), 32)
    assert max(abs(found[0] - cells[0][0]), abs(found[1] - cells[1][0])) <= 1


def test_masks_are_turned_with_their_images(tmp_path):
  geometry = Geometry('object', (0.4, 0.8))
  masks = []
  for number, angle in enumerate((10, 160)):
    pin, marked = draw_pin(angle), draw_pin(angle, spot=0.2)
    image_path = tmp_path / f'{number}.png'
    mask_path = tmp_path / f'{number}_mask.png'
    Image.fromarray(pin).save(image_path)
    spot = (np.abs(marked.astype(int) - pin)[..., 0] > 90).astype(np.uint8)
    Image.fromarray(255 * spot).save(mask_path)
    preprocessor = Preprocessor(64, geometry)
    mask = preprocessor.read(str(image_path), str(mask_path), 64).mask
    rows, columns = np.nonzero(mask)
    # A fifth of 120 pixels right of the middle of a window 160 wide.
    np.testing.assert_allclose(columns.mean(), 32 + 64 * 24 / 160, atol=1.5)
    np.testing.assert_allclose(rows.mean(), 32, atol=1.5)
    masks.append(mask)
  assert (masks[0] & masks[1]).sum() > 0.7 * (masks[0] | masks[1]).sum()


def test_a_defect_outside_of_the_window_does_not_disappear(tmp_path):
  Image.fromarray(draw_pin(0)).save(tmp_path / 'a.png')
  drawing = np.zeros((SIDE, SIDE), np.uint8)
  drawing[3:6, 100:104] = 255
  Image.fromarray(drawing).save(tmp_path / 'a_mask.png')
  preprocessor = Preprocessor(64, Geometry('object', (0.4, 0.8)))
  paths = str(tmp_path / 'a.png'), str(tmp_path / 'a_mask.png')
  rows, columns = np.nonzero(preprocessor.read(*paths, 64).mask)
  assert set(rows) == {0}
  assert 30 <= columns.min() <= columns.max() <= 34

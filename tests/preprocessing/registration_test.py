"""The direction of round parts, against that in which they were drawn."""

import numpy as np
import pytest

from afgan_jax.config.rules import check_config
from afgan_jax.config.schema import TEMPLATE_BYTES
from afgan_jax.preprocessing import registration
from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.pose import find_object
from configs import default
from tests.support.flange import HOLES, SIDE, draw_flange


def profile(image):
  radius = max(image.shape) / 2
  return registration.polar_profile(image, find_object(image).center, radius)


def degrees(image, template):
  return np.degrees(registration.find_angle(profile(image), template))


@pytest.mark.parametrize('angle', [0, 3, 47.5, 90, 181, 333])
@pytest.mark.parametrize(
  'fields',
  [
    {},
    {'center': (90, 108)},
    {'brightness': 0.6},
    {'scale': 3},
    {'holes': HOLES[:2]},
  ],
  ids=['plain', 'elsewhere', 'darker', 'larger', 'a hole is missing'],
)
def test_the_angle_is_that_by_which_the_part_was_turned(angle, fields):
  found = degrees(draw_flange(angle, **fields), profile(draw_flange(0)))
  assert abs((found - angle + 180) % 360 - 180) < 1.5


@pytest.mark.parametrize('angle', [20, 140])
def test_a_broken_edge_hardly_moves_a_part(angle):
  image = draw_flange(angle, (96, 103))
  y, x = np.mgrid[:SIDE, :SIDE]
  image[x - 0.3 * y > 115] = 200  # A quarter of the disc is missing.
  first = find_object(image).center
  center, found = registration.register(
    image, first, SIDE / 2, profile(draw_flange(0))
  )
  before, after = (np.linalg.norm(each - (96, 103)) for each in (first, center))
  assert before > 6 and after < 3
  assert np.degrees(found) == pytest.approx(angle, abs=3)


def test_correlation_is_that_of_turned_samples_by_numpy():
  rng = np.random.default_rng(0)
  image, other = rng.integers(0, 256, (2, 90, 120, 3), np.uint8)
  first, second = (
    registration.polar_profile(x, np.array([60, 45]), 45)
    for x in (image, other)
  )
  values = registration.correlate(first, second)
  for steps in (0, 1, 40):
    turned = np.roll(second, steps, axis=1)
    expected = np.corrcoef(first.ravel(), turned.ravel())[0, 1]
    assert values[steps] == pytest.approx(expected, abs=1e-12)
  # A quarter of the circle is 18 samples, and a quarter turn of the image.
  square = np.rot90(image[:, 15:105], -1)  # Clockwise.
  center = np.array([45, 45])
  before = registration.polar_profile(image[:, 15:105], center, 45)
  after = registration.polar_profile(square, center, 45)
  np.testing.assert_allclose(after, np.roll(before, 18, axis=1), atol=1e-9)


def test_the_template_is_that_of_the_parts_in_one_direction():
  rng = np.random.default_rng(0)
  angles = rng.uniform(0, 360, 12)
  parts = [
    draw_flange(angle).astype(float) + rng.normal(0, 8, (SIDE, SIDE, 1))
    for angle in angles
  ]
  profiles = [profile(part.clip(0, 255).astype(np.uint8)) for part in parts]
  template = registration.make_template(profiles)
  found = [np.degrees(registration.find_angle(p, template)) for p in profiles]
  turned = np.radians(found - angles)
  mean = np.exp(1j * turned).mean()
  assert abs(mean) > 0.9999  # All but for one direction of all.
  clean = profile(draw_flange(np.degrees(-np.angle(mean))))
  assert registration.correlate(clean, template)[0] > 0.98


def test_encoded_templates_find_the_same_angles():
  template = profile(draw_flange(20))
  text = registration.encode(template)
  decoded = registration.decode(text)
  assert np.linalg.norm(decoded - template) < 0.03
  assert np.linalg.norm(decoded) == pytest.approx(1)
  for angle in (100, 250):
    part = draw_flange(angle)
    assert degrees(part, decoded) == pytest.approx(
      degrees(part, template), abs=0.1
    )
  assert registration.RINGS * registration.ANGLES == TEMPLATE_BYTES
  with pytest.raises(ValueError, match='not base64'):
    registration.decode('ä')
  with pytest.raises(ValueError, match='3 samples, not 1152'):
    registration.decode('AAAA')


def test_a_config_takes_the_template_that_the_program_writes():
  config = default.get_config()
  config.data.template = registration.encode(profile(draw_flange(20)))
  check_config(config, num_devices=1)


def test_uniform_images_have_a_direction_too():
  flat = profile(np.full((50, 60, 3), 128, np.uint8))
  assert not flat.any()
  assert registration.find_angle(flat, profile(draw_flange(0))) == 0


def test_turned_parts_look_the_same_and_maps_come_back():
  part = draw_flange(10)
  template = registration.polar_profile(part, (100, 100), 0.9 * SIDE / 2)
  geometry = Geometry(
    'object', (0.9, 0.9), template=registration.encode(template)
  )
  first, *others = (
    geometry.frame(image).cut(image, 64)
    for image in (draw_flange(10), draw_flange(130), draw_flange(300, (92, 95)))
  )
  for other in others:
    assert np.abs(first - other).mean() < 2
  image = draw_flange(200, (106, 95))
  frame = geometry.frame(image)
  y, x = np.mgrid[:SIDE, :SIDE]
  spot = (np.hypot(x - 120, y - 60) < 12).astype(np.float32)
  back = frame.restore(frame.cut(spot, 64))
  found = ((x, y) * back).sum(axis=(1, 2)) / back.sum()
  np.testing.assert_allclose(found, (120, 60), atol=0.5)

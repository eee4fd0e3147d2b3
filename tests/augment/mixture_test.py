import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.augment import content as contents
from afgan_jax.augment import mixture as mixtures
from afgan_jax.augment.noise import fractal_noise
from afgan_jax.augment.probe import KINDS
from afgan_jax.augment.sampler import build_augmentation
from afgan_jax.augment.vary import build_variation, change_light, shade
from afgan_jax.config.schema import CONTENTS, SHAPES
from tests.support.tiny import tiny_config

SIZE = 32
NUM = 64


def _images(color=True):
  """Smooth images that differ from pixel to pixel."""
  rng = np.random.default_rng(0)
  channels = 3 if color else 1
  images = rng.uniform(-0.8, 0.8, (NUM, 8, 8, channels)).astype('f4')
  images = jax.image.resize(images, (NUM, SIZE, SIZE, channels), 'linear')
  return jnp.broadcast_to(images, (NUM, SIZE, SIZE, 3))


def _smoothed(image):
  return contents.Smoothed(image, contents.blur(image))


def _options(**fields):
  """Returns the default options; numbers may be traced."""
  options = tiny_config().augmentation.mixture.to_dict()
  return types.SimpleNamespace(**(options | fields))


@jax.jit
def _mix_all(images, fields):
  keys = jax.random.split(jax.random.key(1), NUM)
  mix = functools.partial(mixtures.mixture, options=_options(**fields))
  return jax.vmap(mix)(keys, images, jnp.roll(images, 1, axis=0))


def _mix(images, radius=(0.03, 0.25), opacity=(0.5, 1.0), seamless=0.3):
  """Compiles once for all tests."""
  fields = {'radius': radius, 'opacity': opacity, 'seamless': seamless}
  fields = jax.tree.map(jnp.float32, fields)
  return jax.device_get(_mix_all(images, fields))


def test_only_marked_pixels_change_to_the_eye():
  images = _images()
  augmented, masks = _mix(images)
  change = np.abs(augmented - images).max(axis=-1)
  assert masks.dtype == bool
  # A single pixel may change by 0.04 over its weight in a Gaussian of one
  # pixel, 1 / 2π.
  assert change[~masks].max() < 0.04 * 2 * np.pi * 1.05
  assert (change[masks] > 0).all()
  assert np.abs(augmented).max() <= 1
  assert np.mean(masks.any(axis=(1, 2))) > 0.7
  assert 0.01 < masks.mean() < 0.3


def test_grey_images_get_grey_defects_and_coloured_ones_others():
  augmented, masks = _mix(_images(color=False))
  assert masks.any()
  np.testing.assert_allclose(np.ptp(augmented, axis=-1), 0, atol=1e-6)


def test_larger_radius_covers_more():
  areas = [
    _mix(_images(), radius=(r, r), opacity=(1.0, 1.0))[1].mean()
    for r in (0.04, 0.08, 0.16)
  ]
  assert 2 * areas[0] < areas[1] < areas[2] / 2


@pytest.mark.parametrize('content', contents.CONTENTS)
def test_contents_are_what_their_names_say(content):
  image, other = _images()[:2]
  low = contents.blur(image)
  draw = jax.jit(contents.draw_content, static_argnums=3)
  drawn, drawn_low = draw(
    jax.random.key(8), _smoothed(image), _smoothed(other), (content,)
  )
  assert drawn.shape == drawn_low.shape == image.shape
  drawn = np.asarray(drawn)

  def values(x):
    return {
      tuple(pixel.tolist()) for pixel in np.reshape(np.round(x, 4), (-1, 3))
    }

  if content == 'color':
    assert len(values(drawn)) == 1
  elif content == 'noise':
    assert len(values(drawn)) > 900
    # The same in all channels but for the colour.
    assert np.std(drawn - drawn.mean(axis=(0, 1)), axis=-1).max() < 1e-5
  elif content == 'blur':
    np.testing.assert_array_equal(drawn, low)
  elif content == 'light':
    # Linear in the image: what is left of a fit is rounding.
    x = np.stack([np.ravel(image), np.ravel(low), np.ones(image.size)], axis=1)
    _, residual, *_ = np.linalg.lstsq(x, np.ravel(drawn), rcond=None)
    assert residual < 1e-6
  else:
    source = image if content == 'displaced' else other
    # Interpolated, so no brighter and no darker than where it comes from.
    assert source.min() - 1e-5 <= drawn.min() <= drawn.max()
    assert drawn.max() <= source.max() + 1e-5
    assert np.abs(drawn - source).max() > 0.1


@pytest.mark.parametrize(
  ('shape', 'expected'), [('rectangle', 4 * 6.4**2), ('scar', np.pi * 6.4**2)]
)
def test_shapes_cover_their_area(shape, expected):
  options = _options(radius=(0.2, 0.2), shapes=(shape,))
  center = jnp.array([SIZE / 2, SIZE / 2])
  draw = jax.jit(
    jax.vmap(lambda key: mixtures.draw_cover(key, SIZE, center, options))
  )
  cover = draw(jax.random.split(jax.random.key(2), 256))
  assert 0 <= cover.min() and cover.max() <= 1
  # Scars run out of the image; both have soft edges.
  assert 0.55 < np.median(cover.sum(axis=(1, 2)) / expected) < 1.15


def test_defects_lie_where_the_image_has_structure():
  image = jnp.zeros((SIZE, SIZE, 3)).at[4:8, 20:24].set(1.0)
  draw = jax.jit(jax.vmap(mixtures.draw_place, in_axes=(0, None, None)))
  keys = jax.random.split(jax.random.key(3), 500)
  near = np.linalg.norm(draw(keys, image, 1.0) - jnp.array([6, 22]), axis=1)
  assert np.mean(near < 6) > 0.99
  anywhere = draw(keys, image, 0.0)
  np.testing.assert_allclose(anywhere.mean(axis=0), SIZE / 2, atol=1.5)
  assert anywhere.min() >= 0 and anywhere.max() <= SIZE


def test_seamless_content_has_the_light_of_its_surroundings():
  image, other = _images()[0] * 0.5, jnp.full((SIZE, SIZE, 3), 0.7)

  @jax.jit
  def paste(seamless):
    options = _options(
      contents=('patch',), opacity=(1.0, 1.0), seamless=seamless
    )
    return mixtures.add_defect(
      jax.random.key(0), _smoothed(image), _smoothed(other), options
    )

  # A flat patch has nothing but its light, and gets that of the image.
  changed = np.abs(paste(0.0) - image).max(axis=-1) > 1e-3
  assert np.abs(paste(0.0) - 0.7).min() < 1e-6
  np.testing.assert_allclose(
    paste(1.0)[changed].mean(), contents.blur(image)[changed].mean(), atol=0.1
  )


def test_noise_has_mean_0_and_variance_1():
  draw = jax.jit(jax.vmap(functools.partial(fractal_noise, size=SIZE)))
  fields = draw(jax.random.split(jax.random.key(4), 500))
  assert abs(fields.mean()) < 0.05
  assert abs(fields.std() - 1) < 0.1
  # Neighbours are alike, pixels far apart are not.
  near = np.corrcoef(fields[:, 8, 8], fields[:, 8, 9])[0, 1]
  far = np.corrcoef(fields[:, 8, 2], fields[:, 8, 28])[0, 1]
  assert near > 0.8 and abs(far) < 0.2


def test_probes_are_of_no_kind_that_is_trained_on():
  assert not {*SHAPES, *CONTENTS} & set(KINDS)


def test_light_changes_as_computed_by_hand():
  levels = np.array([0.2, 0.6, 1.0, 1.4])  # Of 2; their mean is 0.8.
  image = jnp.asarray(np.repeat(levels, 3).reshape(2, 2, 3) - 1)
  key = jax.random.key(6)
  a, b = np.asarray(jax.random.uniform(key, (2,), minval=-1, maxval=1))
  got = change_light(key, image, 0.5, 0.2)
  brighter = levels * (1 + 0.5 * a)
  mean = brighter.mean()
  expected = np.clip(mean + (brighter - mean) * (1 + 0.2 * b), 0, 2) - 1
  np.testing.assert_allclose(got[..., 0].ravel(), expected, atol=1e-6)


def test_shading_multiplies_the_light_by_what_was_drawn():
  key = jax.random.key(8)
  image = jnp.linspace(-0.9, 0.9, 27).reshape(3, 3, 3)
  drawn = jax.random.uniform(key, (3, 3, 1), minval=-0.2, maxval=0.2)
  # Of as many pixels as points, nothing is interpolated.
  expected = np.clip((image + 1) * (1 + drawn) - 1, -1, 1)
  np.testing.assert_allclose(shade(key, image, 0.2), expected, atol=1e-6)


def test_shading_is_smooth_and_alike_in_all_channels():
  image = jnp.full((64, 64, 3), -0.2)
  shaded = np.asarray(shade(jax.random.key(9), image, 0.3))
  assert np.ptp(shaded, axis=-1).max() == 0
  level = shaded[..., 0]
  assert np.ptp(level) > 0.05
  for axis in (0, 1):
    # Far below the range, in no step.
    assert np.abs(np.diff(level, axis=axis)).max() < np.ptp(level) / 5
  assert 0.5 < (level + 1).min() / 0.8 and (level + 1).max() / 0.8 < 1.4


def test_variation_is_none_unless_asked_for():
  assert build_variation(tiny_config()) is None
  for name, value in (
    ('rotation', 10.0),
    ('flip_rows', True),
    ('shading', 0.5),
  ):
    vary = build_variation(tiny_config(**{f'variation.{name}': value}))
    keys = jax.random.split(jax.random.key(7), NUM)
    varied = jax.jit(jax.vmap(vary))(keys, _images())
    assert varied.shape == (NUM, SIZE, SIZE, 3)
    assert np.abs(varied - _images()).max() > 0.1


def test_graded_labels_are_the_logistic_function_of_the_change():
  image = jnp.zeros((SIZE, SIZE, 3))
  # The middle of a square that is 7 grey levels brighter, and one of 20.
  augmented = (
    image.at[2:14, 2:14].add(7 / 127.5).at[18:30, 18:30].add(20 / 127.5)
  )
  labels = np.asarray(mixtures.graded_change(image, augmented, 1 / 3, 7.0))
  assert labels.dtype == np.float32
  np.testing.assert_allclose(labels[8, 8], 0.5, atol=1e-4)
  np.testing.assert_allclose(
    labels[24, 24], 1 / (1 + np.exp(-13 / 3)), atol=1e-4
  )
  assert (labels[np.asarray(augmented == image).all(axis=-1)] == 0).all()


def test_a_steep_slope_at_the_visible_change_gives_the_mask():
  images = _images()
  augmented, masks = _mix(images)
  graded = jax.vmap(
    lambda a, b: mixtures.graded_change(a, b, 1e6, 0.04 * 127.5)
  )(images, augmented)
  assert np.mean((graded > 0.5) == masks) > 0.9999


def test_untouched_images_have_labels_of_0():
  fields = {'kind': 'mixture', 'probability': 0.5, 'mixture.label_slope': 0.3}
  config = tiny_config(
    **{f'augmentation.{name}': value for name, value in fields.items()}
  )
  augment = jax.jit(jax.vmap(build_augmentation(config)))
  keys = jax.random.split(jax.random.key(1), NUM)
  images = _images()
  augmented, labels = augment(keys, images, jnp.roll(images, 1, axis=0))
  same = np.asarray(augmented == images).all(axis=(1, 2, 3))
  assert labels.dtype == np.float32
  assert 0.3 < same.mean() < 0.7
  assert (np.asarray(labels)[same] == 0).all()
  assert np.asarray(labels)[~same].max(axis=(1, 2)).min() > 0

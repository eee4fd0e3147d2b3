import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.augment import mixture as mixtures
from afgan_jax.augment.noise import fractal_noise
from afgan_jax.augment.probe import KINDS, probe
from afgan_jax.augment.vary import build_variation, change_light
from afgan_jax.config import SUBSETS
from tests.tiny import tiny_config

SIZE = 32
NUM = 64


def _images(color=True):
  """Smooth images that differ from pixel to pixel."""
  rng = np.random.default_rng(0)
  channels = 3 if color else 1
  images = rng.uniform(-0.8, 0.8, (NUM, 8, 8, channels)).astype('f4')
  images = jax.image.resize(images, (NUM, SIZE, SIZE, channels), 'linear')
  return jnp.broadcast_to(images, (NUM, SIZE, SIZE, 3))


def _options(**fields):
  named = {f'augmentation.mixture.{name}': v for name, v in fields.items()}
  return tiny_config(**named).augmentation.mixture


def _mix(images, **fields):
  mix = jax.jit(
    jax.vmap(functools.partial(mixtures.mixture, options=_options(**fields)))
  )
  keys = jax.random.split(jax.random.key(1), NUM)
  return mix(keys, images, jnp.roll(images, 1, axis=0))


@pytest.mark.parametrize('content', mixtures.CONTENTS)
def test_only_marked_pixels_change_to_the_eye(content):
  images = _images()
  augmented, masks = _mix(images, contents=(content,))
  change = np.abs(augmented - images).max(axis=-1)
  assert masks.dtype == bool
  assert change[~masks].max() < 0.37  # 0.04 by the mean of 3×3 Gaussian.
  assert np.abs(augmented).max() <= 1
  assert (change[masks] > 0).all()
  assert 0.3 < np.mean(masks.any(axis=(1, 2)))
  assert 0.001 < masks.mean() < 0.3


def test_grey_images_get_grey_defects():
  augmented, masks = _mix(_images(color=False), contents=('color', 'noise'))
  assert masks.any()
  np.testing.assert_allclose(np.ptp(augmented, axis=-1), 0, atol=1e-6)
  augmented, _ = _mix(_images(), contents=('color',), opacity=(1.0, 1.0))
  assert np.ptp(augmented, axis=-1).max() > 0.3


def test_larger_radius_covers_more():
  areas = [
    _mix(_images(), radius=(r, r), contents=('color',), max_defects=1)[1].mean()
    for r in (0.05, 0.1, 0.2)
  ]
  assert 2 * areas[0] < areas[1] < areas[2] / 2


def test_a_disc_covers_its_area():
  options = _options(radius=(0.2, 0.2))
  draw = jax.jit(
    jax.vmap(
      lambda key: mixtures.draw_cover(
        key, SIZE, jnp.array([SIZE / 2, SIZE / 2]), options
      )
    )
  )
  for shape, expected in (('rectangle', 4 * 6.4**2), ('scar', np.pi * 6.4**2)):
    options.shapes = (shape,)
    cover = jax.jit(draw)(jax.random.split(jax.random.key(2), 256))
    jax.clear_caches()
    assert 0 <= cover.min() and cover.max() <= 1
    inside = cover.sum(axis=(1, 2)) / expected
    # Scars run out of the image; both have soft edges.
    assert 0.55 < np.median(inside) < 1.15


def test_defects_lie_where_the_image_has_structure():
  image = jnp.zeros((SIZE, SIZE, 3)).at[4:8, 20:24].set(1.0)
  draw = jax.vmap(mixtures.draw_place, in_axes=(0, None, None))
  keys = jax.random.split(jax.random.key(3), 500)
  near = np.linalg.norm(draw(keys, image, 1.0) - jnp.array([6, 22]), axis=1)
  assert np.mean(near < 6) > 0.99
  anywhere = draw(keys, image, 0.0)
  np.testing.assert_allclose(anywhere.mean(axis=0), SIZE / 2, atol=1.5)
  assert anywhere.min() >= 0 and anywhere.max() <= SIZE


def test_seamless_content_has_the_light_of_its_surroundings():
  # Another image that is the same but brighter: seamless, nothing changes.
  images = _images() * 0.5
  fields = {'contents': ('patch',), 'opacity': (1.0, 1.0)}
  options = _options(**fields, seamless=1.0)
  flat = jnp.full((SIZE, SIZE, 3), 0.7)
  seamless = mixtures.add_defect(jax.random.key(0), images[0], flat, options)
  np.testing.assert_allclose(
    np.abs(seamless - images[0]).max(),
    np.abs(mixtures.blur(images[0]) - images[0]).max(),
    atol=0.15,
  )
  options = _options(**fields, seamless=0.0)
  pasted = mixtures.add_defect(jax.random.key(0), images[0], flat, options)
  assert np.abs(pasted - 0.7).min() < 1e-6


def test_noise_has_mean_0_and_variance_1():
  draw = jax.jit(jax.vmap(functools.partial(fractal_noise, size=SIZE)))
  fields = draw(jax.random.split(jax.random.key(4), 500))
  assert abs(fields.mean()) < 0.05
  assert abs(fields.std() - 1) < 0.1
  # Neighbours are alike, pixels far apart are not.
  near = np.corrcoef(fields[:, 8, 8], fields[:, 8, 9])[0, 1]
  far = np.corrcoef(fields[:, 8, 2], fields[:, 8, 28])[0, 1]
  assert near > 0.8 and abs(far) < 0.2


@pytest.mark.parametrize('kind', KINDS)
def test_probes_change_a_small_part_visibly(kind):
  images = _images()
  make = jax.jit(jax.vmap(functools.partial(probe, kind)))
  keys = jax.random.split(jax.random.key(5), NUM)
  changed, masks = make(keys, images)
  assert np.abs(changed).max() <= 1
  assert np.mean(masks.any(axis=(1, 2))) > 0.5
  assert masks.mean() < 0.15
  far = ~masks & (np.abs(changed - images).max(axis=-1) > 0.37)
  assert not far.any()


def test_probes_are_of_no_kind_that_is_trained_on():
  trained = {name for names in SUBSETS.values() for name in names}
  assert not trained & set(KINDS)


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


def test_variation_is_none_unless_asked_for():
  assert build_variation(tiny_config()) is None
  for name, value in (('rotation', 10.0), ('flip_rows', True)):
    vary = build_variation(tiny_config(**{f'variation.{name}': value}))
    varied = jax.vmap(vary)(jax.random.split(jax.random.key(7), NUM), _images())
    assert varied.shape == (NUM, SIZE, SIZE, 3)
    assert np.abs(varied - _images()).max() > 0.1

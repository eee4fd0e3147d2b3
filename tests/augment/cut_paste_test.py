"""Cut-paste in JAX and in TensorFlow, against slices and each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from afgan_jax.augment import cut_paste
from afgan_jax.augment.sampler import make_sampler
from tests.support import tensorflow
from tests.support.tensorflow import needs_tensorflow
from tests.support.tiny import tiny_config

if tensorflow.INSTALLED:
  import tensorflow as tf

  from datasets import cut_paste as tf_cut_paste
  from datasets.pipeline import train_batches

SIZE = 32
LARGE = 4096  # Rounding to whole pixels does not show at this size.
NUM_DRAWS = 2000
# The largest rectangle, 0.7 of the image's side, fits in at any scale.
OPTIONS = {'scale': (0.5, 1.4), 'rotation': 60.0, 'color_jitter': 0.3}
FRAMEWORKS = ('jax', pytest.param('tensorflow', marks=needs_tensorflow))
# Seeds are fixed: a p-value below this means that the distributions differ.
SMALLEST_P = 1e-3

_jax_paste = jax.jit(cut_paste.paste)


@functools.cache
def _tf_paste():
  return tf.function(
    lambda image, *patch: tf_cut_paste.paste(image, tf_cut_paste.Patch(*patch))
  )


def _paste(framework: str, image: np.ndarray, patch) -> np.ndarray:
  if framework == 'jax':
    return np.asarray(_jax_paste(image, patch))
  return _tf_paste()(*map(tf.constant, (image, *patch))).numpy()


def _patch(
  size, source, target, target_size=None, degrees=0.0, jitter=(1, 1, 1)
):
  pairs = (size, source, target_size or size, target)
  return cut_paste.Patch(
    *(np.array(pair, np.float32) for pair in pairs),
    angle=np.float32(np.deg2rad(degrees)),
    jitter=np.array(jitter, np.float32),
  )


def _image(seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (SIZE, SIZE, 3)).astype(np.float32)


def _copy_slice(image: np.ndarray, size, source, target) -> np.ndarray:
  (height, width), (i, j), (k, m) = np.array((size, source, target), int)
  result = image.copy()
  result[k : k + height, m : m + width] = image[i : i + height, j : j + width]
  return result


@functools.cache
def _draws(framework: str, size: int):
  """Returns a `Patch` of arrays [NUM_DRAWS, ...] with `OPTIONS`."""
  if framework == 'jax':
    draw = functools.partial(cut_paste.draw_patch, size=size, **OPTIONS)
    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    return jax.device_get(jax.jit(jax.vmap(draw))(keys))

  @tf.function
  def draw_all():
    return tf.map_fn(
      lambda i: tuple(
        tf_cut_paste.draw_patch(tf.stack([0, i]), size, **OPTIONS)
      ),
      tf.range(NUM_DRAWS),
      fn_output_signature=(tf.float32,) * 6,
    )

  return cut_paste.Patch(*(part.numpy() for part in draw_all()))


def _statistics(patch, size: int) -> dict[str, np.ndarray]:
  height, width = patch.size.T
  statistics = {
    'area': height * width / size**2,
    'aspect': np.log(height / width),
    # Of the shorter side, which is never cut short by the image.
    'scale': patch.target_size.min(axis=1) / patch.size.min(axis=1),
    'angle': patch.angle,
  }
  for name, factors in zip(
    ('brightness', 'contrast', 'saturation'), patch.jitter.T, strict=True
  ):
    statistics[name] = factors
  for axis, name in enumerate(('row', 'column')):
    for corner, shape in (('source', 'size'), ('target', 'target_size')):
      places = size - getattr(patch, shape)[:, axis] + 1
      share = getattr(patch, corner)[:, axis] / places
      statistics[f'{corner}_{name}'] = share
  return statistics


STATISTICS = (
  ('area', 0.02, 0.15),
  ('aspect', np.log(0.3), np.log(3.3)),
  ('scale', 0.5, 1.4),
  ('angle', -np.pi / 3, np.pi / 3),
  ('brightness', 0.7, 1.3),
  ('contrast', 0.7, 1.3),
  ('saturation', 0.7, 1.3),
  ('source_row', 0, 1),
  ('source_column', 0, 1),
  ('target_row', 0, 1),
  ('target_column', 0, 1),
)


@pytest.mark.parametrize('framework', FRAMEWORKS)
@pytest.mark.parametrize(
  'size, source, target',
  [
    ((8, 8), (0, 0), (24, 24)),
    ((5, 9), (27, 23), (0, 0)),
    ((9, 4), (3, 20), (10, 1)),
    ((12, 7), (6, 6), (8, 9)),  # Onto itself.
    ((1, 1), (31, 0), (0, 31)),
    ((32, 3), (0, 29), (0, 0)),
    ((10, 10), (11, 11), (11, 11)),  # Nothing changes.
  ],
)
def test_straight_patches_are_copied_slices(framework, size, source, target):
  image = _image()
  np.testing.assert_array_equal(
    _paste(framework, image, _patch(size, source, target)),
    _copy_slice(image, size, source, target),
  )


@pytest.mark.parametrize('framework', FRAMEWORKS)
@pytest.mark.parametrize('side', [8, 9])
@pytest.mark.parametrize('degrees, turns', [(90, -1), (-90, 1), (180, 2)])
def test_positive_angles_turn_clockwise(framework, side, degrees, turns):
  image = _image()
  expected = image.copy()
  content = image[2 : 2 + side, 3 : 3 + side]
  # np.rot90 turns counterclockwise.
  expected[20 : 20 + side, 15 : 15 + side] = np.rot90(content, turns)
  patch = _patch((side, side), (2, 3), (20, 15), degrees=degrees)
  np.testing.assert_array_equal(_paste(framework, image, patch), expected)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_a_turned_rectangle_keeps_its_centre(framework):
  image = _image()
  expected = image.copy()
  # A rectangle of 6x10 at (20, 14) has its centre at (23, 19).
  expected[18:28, 16:22] = np.rot90(image[1:7, 2:12], -1)
  patch = _patch((6, 10), (1, 2), (20, 14), degrees=90)
  np.testing.assert_array_equal(_paste(framework, image, patch), expected)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_what_turns_out_of_the_image_is_cut_off(framework):
  image = _image()
  expected = image.copy()
  # At the top edge, with its centre at (1, 16): columns become rows -4 to 6.
  expected[:6, 15:17] = np.rot90(image[20:22, 4:14], -1)[4:]
  patch = _patch((2, 10), (20, 4), (0, 11), degrees=90)
  np.testing.assert_array_equal(_paste(framework, image, patch), expected)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_a_turned_square_covers_the_turned_area(framework):
  image = np.zeros((SIZE, SIZE, 3), np.float32)
  image[:16, :16] = 1
  patch = _patch((14, 14), (1, 1), (16, 16), degrees=45)
  pasted = _paste(framework, image, patch)
  # A square on its tip, of which two corners lie outside the image.
  rows, columns = np.indices((SIZE, SIZE)) + 0.5
  inside = np.abs(rows - 23) + np.abs(columns - 23) < 14 / np.sqrt(2)
  image[inside] = 1
  np.testing.assert_array_equal(pasted, image)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_scaling_repeats_or_skips_pixels(framework):
  image = _image()
  doubled, tripled, halved = image.copy(), image.copy(), image.copy()
  content = image[2:8, 4:12]
  doubled[10:22, 12:28] = content.repeat(2, axis=0).repeat(2, axis=1)
  tripled[10:28, 8:32] = content.repeat(3, axis=0).repeat(3, axis=1)
  halved[10:13, 12:16] = content[1::2, 1::2]
  for expected, target, target_size in (
    (doubled, (10, 12), (12, 16)),
    (tripled, (10, 8), (18, 24)),
    (halved, (10, 12), (3, 4)),
  ):
    patch = _patch((6, 8), (2, 4), target, target_size)
    np.testing.assert_array_equal(_paste(framework, image, patch), expected)


def _jittered(framework: str, factors) -> tuple[np.ndarray, np.ndarray]:
  """Returns content before and after; asserts that the rest is as it was."""
  image = _image()
  patch = _patch((9, 12), (1, 3), (20, 15), jitter=factors)
  pasted = _paste(framework, image, patch)
  outside = np.ones((SIZE, SIZE), bool)
  outside[20:29, 15:27] = False
  np.testing.assert_array_equal(pasted[outside], image[outside])
  return image[1:10, 3:15], pasted[20:29, 15:27]


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_brightness_goes_from_black(framework):
  before, after = _jittered(framework, (0.5, 1, 1))
  # From -1 ... 1 to -1 ... 0.
  np.testing.assert_allclose(after, before / 2 - 0.5, atol=1e-6)
  before, after = _jittered(framework, (1.5, 1, 1))
  expected = np.minimum(1.5 * before + 0.5, 1)
  np.testing.assert_allclose(after, expected, atol=1e-6)
  assert (after == 1).any()


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_contrast_is_about_the_mean_of_the_patch(framework):
  before, after = _jittered(framework, (1, 0, 1))
  np.testing.assert_allclose(after, before.mean(), atol=1e-6)
  before, after = _jittered(framework, (1, 0.8, 1))
  np.testing.assert_allclose(after.mean(), before.mean(), atol=1e-6)
  np.testing.assert_allclose(after.std(), 0.8 * before.std(), rtol=1e-5)
  _, after = _jittered(framework, (1, 5, 1))
  assert after.min() == -1
  assert after.max() == 1


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_saturation_is_about_the_grey_of_each_pixel(framework):
  before, after = _jittered(framework, (1, 1, 0))
  grey = before.mean(axis=-1, keepdims=True)
  np.testing.assert_allclose(after, grey.repeat(3, axis=-1), atol=1e-6)
  before, after = _jittered(framework, (1, 1, 0.5))
  np.testing.assert_allclose(after, (before + grey) / 2, atol=1e-6)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_the_three_factors_apply_in_their_order(framework):
  before, after = _jittered(framework, (0.8, 0.6, 0.5))
  # By hand, without clipping: no value leaves [-1, 1].
  dimmed = 0.8 * before - 0.2
  flat = 0.6 * dimmed + 0.4 * dimmed.mean()
  expected = (flat + flat.mean(axis=-1, keepdims=True)) / 2
  np.testing.assert_allclose(after, expected, atol=1e-6)


@needs_tensorflow
def test_both_frameworks_paste_the_same_patches_alike():
  turned = jax.tree.map(lambda part: part[:300], _draws('jax', SIZE))
  plain = turned._replace(jitter=np.ones_like(turned.jitter))
  straight = plain._replace(angle=np.zeros_like(plain.angle))
  images = np.stack([_image(seed) for seed in range(300)])
  in_jax = jax.jit(jax.vmap(cut_paste.paste))

  @tf.function
  def in_tf(images, *patch):
    return tf.map_fn(
      lambda parts: tf_cut_paste.paste(
        parts[0], tf_cut_paste.Patch(*parts[1:])
      ),
      (images, *patch),
      fn_output_signature=tf.float32,
    )

  for patch in (turned, plain, straight):
    ours = np.asarray(in_jax(images, patch))
    theirs = in_tf(*map(tf.constant, (images, *patch))).numpy()
    assert (ours != images).any(axis=-1).mean() > 0.03
    # Where a border runs through the centre of a pixel, rounding decides.
    differs = (np.abs(ours - theirs) > 1e-5).any(axis=-1)
    assert differs.mean() < 1e-4


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_draws_are_whole_pixels_inside_the_image(framework):
  patch = _draws(framework, SIZE)
  for corner, size in (
    (patch.source, patch.size),
    (patch.target, patch.target_size),
  ):
    assert corner.shape == size.shape == (NUM_DRAWS, 2)
    np.testing.assert_array_equal(corner, np.round(corner))
    np.testing.assert_array_equal(size, np.round(size))
    assert size.min() >= 1
    assert corner.min() == 0
    assert (corner + size).max() == SIZE


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_area_and_aspect_are_in_range_up_to_rounding(framework):
  height, width = _draws(framework, SIZE).size.T
  # Some size that rounds to this one has to be in range.
  assert ((height + 0.5) * (width + 0.5) >= 0.02 * SIZE**2).all()
  assert ((height - 0.5) * (width - 0.5) <= 0.15 * SIZE**2).all()
  assert ((height + 0.5) / (width - 0.5) >= 0.3).all()
  assert ((height - 0.5) / (width + 0.5) <= 3.3).all()
  height, width = _draws(framework, LARGE).size.T
  area, aspect = height * width / LARGE**2, height / width
  assert 0.0199 < area.min() < 0.021
  assert 0.149 < area.max() < 0.1501
  assert 0.299 < aspect.min() < 0.31
  assert 3.2 < aspect.max() < 3.31


@pytest.mark.parametrize('framework', FRAMEWORKS)
@pytest.mark.parametrize('name, low, high', STATISTICS)
def test_draws_are_uniform(framework, name, low, high):
  drawn = _statistics(_draws(framework, LARGE), LARGE)[name]
  expected = stats.uniform(low, high - low)
  test = stats.kstest(drawn, expected.cdf, method='asymp')
  assert test.pvalue > SMALLEST_P


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_draws_are_independent(framework):
  drawn = _statistics(_draws(framework, LARGE), LARGE)
  correlation = stats.spearmanr(np.stack(list(drawn.values()), axis=1))
  # 1 / √2000 is the standard deviation of each.
  off_diagonal = correlation.statistic - np.eye(len(drawn))
  assert np.abs(off_diagonal).max() < 4.5 / np.sqrt(NUM_DRAWS)


@needs_tensorflow
@pytest.mark.parametrize('name', [name for name, _, _ in STATISTICS])
def test_both_frameworks_draw_alike(name):
  ours, theirs = (
    _statistics(_draws(framework, SIZE), SIZE)[name]
    for framework in ('jax', 'tensorflow')
  )
  test = stats.ks_2samp(ours, theirs, method='asymp')
  assert test.pvalue > SMALLEST_P


@functools.cache
def _augmented(framework: str) -> tuple[np.ndarray, ...]:
  """Augments 64 images of noise and 20 of two colours with default options.

  Returns:
    The images, the augmented ones, the masks and the patches.
  """
  halves = np.zeros((SIZE, SIZE, 3), np.float32)
  halves[:, 16:] = 1
  images = np.stack([_image(seed) for seed in range(64)] + [halves] * 20)
  if framework == 'jax':
    keys = jax.random.split(jax.random.key(7), len(images))

    def augment(key, image):
      patch = cut_paste.draw_patch(key, SIZE)
      return *cut_paste.cut_paste(key, image), patch

    return images, *jax.device_get(jax.jit(jax.vmap(augment))(keys, images))

  @tf.function
  def augment_all(images):
    def augment(parts):
      seed = tf.stack([7, parts[1]])
      patch = tf_cut_paste.draw_patch(seed, SIZE)
      return *tf_cut_paste.cut_paste(parts[0], seed), *patch

    return tf.map_fn(
      augment,
      (images, tf.range(images.shape[0])),  # `len` would need AutoGraph.
      fn_output_signature=(tf.float32, tf.bool, *[tf.float32] * 6),
    )

  augmented, masks, *patch = (part.numpy() for part in augment_all(images))
  return images, augmented, masks, cut_paste.Patch(*patch)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_default_options_copy_slices_to_the_last_bit(framework):
  images, augmented, _, patches = _augmented(framework)
  np.testing.assert_array_equal(patches.jitter, 1)
  np.testing.assert_array_equal(patches.angle, 0)
  np.testing.assert_array_equal(patches.target_size, patches.size)
  for i, image in enumerate(images):
    expected = _copy_slice(
      image, patches.size[i], patches.source[i], patches.target[i]
    )
    np.testing.assert_array_equal(augmented[i], expected)


@pytest.mark.parametrize('framework', FRAMEWORKS)
def test_mask_is_what_changed(framework):
  images, augmented, masks, patches = _augmented(framework)
  assert masks.dtype == bool
  np.testing.assert_array_equal(masks, (augmented != images).any(axis=-1))
  moved = (patches.source != patches.target).any(axis=1)
  assert moved[:64].sum() > 50
  # No two pixels of the noise are equal.
  areas, changed = patches.size.prod(axis=1), masks.sum(axis=(1, 2))
  np.testing.assert_array_equal(changed[:64], np.where(moved, areas, 0)[:64])
  # Within one colour a pasted patch does not show.
  assert (changed[64:] < areas[64:]).any()
  assert (changed[64:] == 0).any()


@needs_tensorflow
def test_both_placements_change_as_much_of_the_images():
  config = tiny_config(batch_size=800, image_size=SIZE)
  config.augmentation.scale = OPTIONS['scale']
  config.augmentation.rotation = OPTIONS['rotation']
  config.augmentation.color_jitter = OPTIONS['color_jitter']
  config.augmentation.probability = 0.8
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
  sample = jax.jit(make_sampler(config))
  ours = jax.device_get(sample(jnp.asarray(images), 0, 0))
  (theirs,) = train_batches(images, config, 0, 1)
  for statistic in (
    lambda batch: batch['mask'].mean(axis=(1, 2)),
    lambda batch: np.abs(batch['input'] - batch['image']).mean(axis=(1, 2, 3)),
    lambda batch: batch['input'].mean(axis=(1, 2, 3)),
  ):
    test = stats.ks_2samp(statistic(ours), statistic(theirs), method='asymp')
    assert test.pvalue > SMALLEST_P

"""Batches made on the device, against the rules of the stream."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from afgan_jax.augment.sampler import make_sampler, order
from tests.support.tensorflow import needs_tensorflow
from tests.support.tiny import tiny_config

SIZE = 16
ERASING = {'augmentation.kind': 'random_erasing', 'batch_size': 800}
# Of another seed, so that one compilation serves two tests.
HALF_ERASING = {**ERASING, 'augmentation.probability': 0.5, 'seed': 1}


def _images(num_images: int = 6) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, SIZE, SIZE, 3), np.uint8)


@functools.cache
def _sampler(num_shares: int, **fields):
  return jax.jit(make_sampler(tiny_config(**fields), num_shares))


def _batch(step: int, num_shares: int = 1, **fields) -> dict:
  sample = _sampler(num_shares, **fields)
  images = jnp.asarray(_images())
  shares = [
    jax.device_get(sample(images, jnp.int32(step), jnp.int32(device)))
    for device in range(num_shares)
  ]
  return {
    name: np.concatenate([share[name] for share in shares])
    for name in shares[0]
  }


def _assert_same_bits(a: dict, b: dict) -> None:
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize('num_images', [6, 4, 3])
def test_each_image_comes_once_per_permutation(num_images):
  # Batches of four run across the ends; three images are fewer than a batch.
  look_up = jax.jit(order, static_argnums=2)
  stream = np.concatenate(
    [
      look_up(jax.random.key(0), jnp.arange(4 * k, 4 * k + 4), num_images)
      for k in range(7)
    ]
  )
  for start in range(0, len(stream) - num_images + 1, num_images):
    epoch = stream[start : start + num_images]
    assert sorted(epoch) == list(range(num_images))


def test_order_differs_between_epochs_and_keys():
  look_up = jax.jit(order, static_argnums=2)
  streams = [look_up(jax.random.key(k), jnp.arange(60), 20) for k in (0, 1)]
  rows = np.stack([*streams, np.arange(60)]).reshape(9, 20) % 20
  assert len({tuple(row) for row in rows[:7].tolist()}) == 7


def test_images_are_those_of_the_training_set_and_inputs_stay_in_range():
  batch = _batch(3, **{'augmentation.color_jitter': 0.5})
  for name in ('image', 'input'):
    assert batch[name].shape == (4, SIZE, SIZE, 3)
    assert batch[name].dtype == np.float32
    assert np.abs(batch[name]).max() <= 1
  assert batch['mask'].shape == (4, SIZE, SIZE)
  assert batch['mask'].dtype == bool
  scaled = _images().astype(np.float64) / 127.5 - 1
  distance = np.abs(batch['image'][:, None] - scaled[None])
  nearest = distance.max(axis=(2, 3, 4)).min(axis=1)
  np.testing.assert_allclose(nearest, 0, atol=1e-6)
  changed = (batch['input'] != batch['image']).any(axis=-1)
  np.testing.assert_array_equal(batch['mask'], changed)


def test_batch_is_a_function_of_the_step():
  fields = {'augmentation.color_jitter': 0.5}
  steps = [_batch(k, **fields) for k in (0, 5, 9)]
  _assert_same_bits(steps[1], _batch(5, **fields))
  for name in ('image', 'input', 'mask'):
    assert len({batch[name].tobytes() for batch in steps}) == 3


def test_shares_of_four_devices_are_the_batch_of_one():
  # Eight of six images. No jitter: compilers round its mean as they like.
  fields = {
    'batch_size': 8,
    'augmentation.rotation': 45.0,
    'augmentation.scale': (0.5, 2.0),
    'augmentation.probability': 0.7,
  }
  whole = _batch(2, **fields)
  assert whole['mask'].any()
  assert whole['input'].shape == (8, SIZE, SIZE, 3)
  _assert_same_bits(whole, _batch(2, num_shares=4, **fields))


def test_probability_0_augments_nothing():
  fields = {'augmentation.kind': 'random_erasing'}
  batch = _batch(0, **fields, **{'augmentation.probability': 0.0})
  np.testing.assert_array_equal(batch['input'], batch['image'])
  assert not batch['mask'].any()


def test_probability_is_the_share_of_augmented_images():
  batch = _batch(0, **HALF_ERASING)
  augmented = batch['mask'].any(axis=(1, 2))
  # Four standard deviations of the share are 0.07.
  assert abs(augmented.mean() - 0.5) < 0.07
  kept = ~augmented
  np.testing.assert_array_equal(batch['input'][kept], batch['image'][kept])


def test_other_seeds_give_other_images_and_augmentations():
  first, second = _batch(0, **ERASING), _batch(0, **HALF_ERASING)
  assert (first['image'] != second['image']).any(axis=(1, 2, 3)).mean() > 0.5
  augmented = second['mask'].any(axis=(1, 2))
  differs = (first['mask'] != second['mask']).any(axis=(1, 2))
  assert differs[augmented].mean() > 0.9


def test_kind_none_changes_nothing():
  batch = _batch(0, **{'augmentation.kind': 'none'})
  np.testing.assert_array_equal(batch['input'], batch['image'])
  assert not batch['mask'].any()


@needs_tensorflow
def test_random_erasing_fills_rectangles_as_tensorflow_does():
  from datasets.pipeline import train_batches

  ours = _batch(0, **ERASING)
  (theirs,) = train_batches(_images(), tiny_config(**ERASING), 0, 1)
  for mask in ours['mask']:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    # The noise equals the image nowhere, so the rectangle has no holes.
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert mask.sum() == len(rows) * len(columns)
  noise = ours['input'][ours['mask']]
  assert noise.min() >= -1
  assert noise.max() < 1
  np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.03)
  np.testing.assert_allclose(noise.var(axis=0), 1 / 3, atol=0.02)
  assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.05
  # Each position has noise of its own, also those of the same image.
  assert len(np.unique(noise)) > 0.99 * noise.size
  # How much is erased, and how far down and to the right, in both frameworks.
  for statistic in (
    lambda mask: mask.mean(axis=(1, 2)),
    lambda mask: mask.any(axis=2).argmax(axis=1),
    lambda mask: mask.any(axis=1).argmax(axis=1),
    lambda mask: mask.any(axis=2).sum(axis=1),
  ):
    a, b = statistic(ours['mask']), statistic(theirs['mask'])
    assert stats.ks_2samp(a, b, method='asymp').pvalue > 1e-3


@pytest.mark.training
def test_mixture_does_not_depend_on_the_number_of_devices():
  fields = {'augmentation.kind': 'mixture'}
  whole, shares = (_batch(2, n, **fields) for n in (1, 2))
  for name in whole:
    np.testing.assert_allclose(
      shares[name].astype(float), whole[name].astype(float), atol=1e-5
    )


def test_tiles_are_cut_anywhere_out_of_the_images():
  fields = {'tile_size': 8, 'batch_size': 800, 'augmentation.kind': 'none'}
  tiles = np.rint((_batch(0, **fields)['image'] + 1) * 127.5).astype(np.uint8)
  where = {
    image[row : row + 8, column : column + 8].tobytes(): (row, column)
    for image in _images()
    for row in range(9)
    for column in range(9)
  }
  corners = np.array([where[tile.tobytes()] for tile in tiles])
  for axis in range(2):
    counts = np.bincount(corners[:, axis], minlength=9)
    assert stats.chisquare(counts).pvalue > 1e-3
  # Tiles of one image differ from one epoch to the next.
  assert len({tile.tobytes() for tile in tiles}) > 300

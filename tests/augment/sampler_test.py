"""Batches made on the device, against the rules of the stream."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from afgan_jax.augment.sampler import make_sampler, order
from datasets.pipeline import train_batches
from tests.tiny import tiny_config

SIZE = 16


def _images(num_images: int = 6) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, SIZE, SIZE, 3), np.uint8)


def _batch(config, step: int, images=None, num_shares: int = 1) -> dict:
  sample = jax.jit(make_sampler(config, num_shares))
  images = jnp.asarray(_images() if images is None else images)
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


@pytest.mark.parametrize('num_images', [6, 4, 7, 3, 1])
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
  epochs = order(jax.random.key(0), jnp.arange(60), 20).reshape(3, 20)
  other = order(jax.random.key(1), jnp.arange(20), 20)
  rows = np.stack([*epochs, other, np.arange(20)])
  assert len({tuple(row) for row in rows.tolist()}) == 5


def test_images_are_those_of_the_training_set_and_inputs_stay_in_range():
  config = tiny_config()
  config.augmentation.color_jitter = 0.5
  batch = _batch(config, 3)
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


def test_batch_is_a_function_of_seed_and_step():
  config = tiny_config()
  sample = jax.jit(make_sampler(config))
  images, first_device = jnp.asarray(_images()), jnp.int32(0)
  steps = [sample(images, jnp.int32(k), first_device) for k in (0, 5, 9)]
  again = sample(images, jnp.int32(5), first_device)
  _assert_same_bits(steps[1], again)
  # A second sampler knows nothing of the first one's steps.
  _assert_same_bits(steps[1], _batch(config, 5))
  config.seed = 1
  batches = [*steps, _batch(config, 5)]
  assert len({np.asarray(b['mask']).tobytes() for b in batches}) == 4


@pytest.mark.parametrize('num_images', [6, 1])
def test_shares_of_four_devices_are_the_batch_of_one(num_images):
  config = tiny_config(batch_size=8)
  config.augmentation.rotation = 45.0
  config.augmentation.color_jitter = 0.2
  config.augmentation.scale = (0.5, 2.0)
  config.augmentation.probability = 0.7
  images = _images(num_images)
  whole = _batch(config, 2, images)
  assert whole['mask'].any()
  assert whole['input'].shape == (8, SIZE, SIZE, 3)
  _assert_same_bits(whole, _batch(config, 2, images, num_shares=4))


def test_positions_of_one_image_are_augmented_differently():
  config = tiny_config(batch_size=16)
  config.augmentation.kind = 'random_erasing'
  masks = [_batch(config, k, _images(1))['mask'] for k in (0, 1)]
  assert len({mask.tobytes() for mask in np.concatenate(masks)}) == 32


@pytest.mark.parametrize('probability', [0.0, 0.5, 1.0])
def test_probability_is_the_share_of_augmented_images(probability):
  config = tiny_config(batch_size=400)
  config.augmentation.kind = 'random_erasing'
  config.augmentation.probability = probability
  batch = _batch(config, 0)
  share = batch['mask'].any(axis=(1, 2)).mean()
  # Four standard deviations of a share of one half are 0.1.
  assert abs(share - probability) <= 0.4 * probability * (1 - probability)
  kept = ~batch['mask'].any(axis=(1, 2))
  np.testing.assert_array_equal(batch['input'][kept], batch['image'][kept])


def test_kind_none_changes_nothing():
  config = tiny_config()
  config.augmentation.kind = 'none'
  batch = _batch(config, 0)
  np.testing.assert_array_equal(batch['input'], batch['image'])
  assert not batch['mask'].any()


def test_random_erasing_fills_rectangles_as_tensorflow_does():
  config = tiny_config(batch_size=800)
  config.augmentation.kind = 'random_erasing'
  ours = _batch(config, 0)
  (theirs,) = train_batches(_images(), config, 0, 1)
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
  # How much is erased, and how far down and to the right, in both frameworks.
  for statistic in (
    lambda mask: mask.mean(axis=(1, 2)),
    lambda mask: mask.any(axis=2).argmax(axis=1),
    lambda mask: mask.any(axis=1).argmax(axis=1),
    lambda mask: mask.any(axis=2).sum(axis=1),
  ):
    a, b = statistic(ours['mask']), statistic(theirs['mask'])
    assert stats.ks_2samp(a, b, method='asymp').pvalue > 1e-3

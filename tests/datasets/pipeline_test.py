"""Batches from tf.data (placement 'host')."""

import numpy as np
import pytest

from afgan_jax.preprocessing.row_cache import to_rows
from afgan_jax.preprocessing.row_writer import write_temporary
from afgan_jax.preprocessing.rows import Layout
from afgan_jax.system.errors import DataError
from tests.support import tensorflow
from tests.support.tiny import tiny_config

pytest.importorskip('tensorflow', reason=tensorflow.REASON)

from datasets.pipeline import order, train_batches  # noqa: E402

SIZE = 16
BATCH = 4


def _images(num_images: int = 6) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, SIZE, SIZE, 3), np.uint8)


def _batches(start: int, stop: int, num_images: int = 6, **fields) -> list:
  config = tiny_config(**fields)
  return list(train_batches(_images(num_images), config, start, stop))


def _assert_same_bits(a: dict, b: dict) -> None:
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name])


def _numbers(batches: list, num_images: int) -> np.ndarray:
  """Finds which images the batches hold, in their order."""
  scaled = (_images(num_images).astype(np.float32) - 127.5) / 127.5
  images = np.concatenate([batch['image'] for batch in batches])
  same = (images[:, None] == scaled[None]).all(axis=(2, 3, 4))
  assert (same.sum(axis=1) == 1).all()
  return same.argmax(axis=1)


def test_shapes_dtypes_and_ranges():
  batches = _batches(0, 3)
  assert len(batches) == 3
  for batch in batches:
    assert set(batch) == {'image', 'input', 'mask'}
    for name in ('image', 'input'):
      assert batch[name].shape == (BATCH, SIZE, SIZE, 3)
      assert batch[name].dtype == np.float32
      assert batch[name].min() >= -1
      assert batch[name].max() <= 1
    assert batch['mask'].shape == (BATCH, SIZE, SIZE)
    assert batch['mask'].dtype == bool


def test_range_of_the_bytes_becomes_minus_1_to_1():
  images = np.zeros((1, SIZE, SIZE, 3), np.uint8)
  images[:, :8] = 255
  (batch,) = train_batches(images, tiny_config(batch_size=1), 0, 1)
  assert set(np.unique(batch['image'])) == {-1.0, 1.0}
  assert (batch['image'][:, :8] == 1).all()


@pytest.mark.parametrize('kind', ['cut_paste', 'random_erasing'])
def test_a_run_that_starts_late_sees_the_same_batches(kind):
  fields = {
    'augmentation.kind': kind,
    'augmentation.rotation': 30.0,
    'augmentation.color_jitter': 0.2,
    'augmentation.probability': 0.7,
  }
  whole = _batches(0, 8, **fields)
  rest = _batches(5, 8, **fields)
  assert len(rest) == 3
  for a, b in zip(whole[5:], rest, strict=True):
    _assert_same_bits(a, b)


def test_images_on_the_disk_make_the_same_batches(tmp_path):
  images = _images()
  layout = Layout((('images', '|u1', (SIZE, SIZE, 3)),))
  with write_temporary(tmp_path, layout) as writer:
    entries = [writer.add(None, [image]) for image in images]
  streamed = to_rows(entries, layout, 'images')
  config = tiny_config()
  for rows in (None, np.array([1, 2])):
    plain = train_batches(images, config, 2, 6, rows)
    others = train_batches(streamed, config, 2, 6, rows)
    for one, other in zip(plain, others, strict=True):
      _assert_same_bits(one, other)


def test_damaged_images_on_the_disk_are_named_in_a_sentence(tmp_path):
  images = _images()
  layout = Layout((('images', '|u1', (SIZE, SIZE, 3)),))
  with write_temporary(tmp_path, layout) as writer:
    entries = [writer.add(None, [image]) for image in images]
  entries[3] = entries[3]._replace(checks=(0,))
  streamed = to_rows(entries, layout, 'images')
  with pytest.raises(DataError, match=f'decoded images in .*{tmp_path.name}'):
    list(train_batches(streamed, tiny_config(), 0, 2))


def test_other_seeds_give_other_batches():
  first, second = (_batches(0, 3, seed=seed) for seed in (0, 1))
  assert (_numbers(first, 6) != _numbers(second, 6)).any()
  masks = [np.stack([b['mask'] for b in run]) for run in (first, second)]
  assert (masks[0] != masks[1]).any()


@pytest.mark.parametrize('num_images', [6, 4, 7, 3, 1])
def test_each_image_comes_once_per_permutation(num_images):
  # Batches of four run across the ends; three images are fewer than a batch.
  batches = _batches(0, 7, num_images, **{'augmentation.kind': 'none'})
  stream = _numbers(batches, num_images)
  assert len(stream) == 7 * BATCH
  for start in range(0, len(stream) - num_images + 1, num_images):
    epoch = stream[start : start + num_images]
    assert sorted(epoch) == list(range(num_images))


def test_order_differs_between_epochs_and_seeds():
  epochs = order(0, np.arange(60), 20).reshape(3, 20)
  other = order(1, np.arange(20), 20)
  assert len({tuple(row) for row in [*epochs, other, np.arange(20)]}) == 5


def test_order_is_one_stream_however_it_is_cut():
  whole = order(3, np.arange(100), 7)
  for start, stop in [(0, 1), (6, 8), (13, 40), (99, 100)]:
    part = order(3, np.arange(start, stop), 7)
    np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize('kind', ['cut_paste', 'random_erasing'])
def test_mask_is_where_the_input_differs(kind):
  fields = {'augmentation.kind': kind, 'augmentation.probability': 0.5}
  for batch in _batches(0, 6, **fields):
    changed = (batch['input'] != batch['image']).any(axis=-1)
    np.testing.assert_array_equal(batch['mask'], changed)


def test_kind_none_changes_nothing():
  for batch in _batches(0, 2, **{'augmentation.kind': 'none'}):
    np.testing.assert_array_equal(batch['input'], batch['image'])
    assert not batch['mask'].any()


def test_probability_is_the_share_of_augmented_images():
  def share(probability: float) -> float:
    fields = {'augmentation.probability': probability, 'batch_size': 400}
    fields['augmentation.kind'] = 'random_erasing'
    (batch,) = _batches(0, 1, **fields)
    return batch['mask'].any(axis=(1, 2)).mean()

  assert share(0.0) == 0
  assert share(1.0) == 1
  # Four standard deviations of the share are 0.1.
  assert abs(share(0.5) - 0.5) < 0.1


def test_random_erasing_fills_a_rectangle_with_noise():
  fields = {'augmentation.kind': 'random_erasing', 'batch_size': 100}
  (batch,) = _batches(0, 1, **fields)
  for mask in batch['mask']:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    # The noise equals the image nowhere, so the rectangle has no holes.
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert mask.sum() == len(rows) * len(columns)
  noise = batch['input'][batch['mask']]
  assert noise.min() >= -1
  assert noise.max() < 1
  # Uniform, and drawn for each channel by itself: over 1000 pixels.
  assert len(noise) > 1000
  np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.1)
  np.testing.assert_allclose(noise.var(axis=0), 1 / 3, atol=0.05)
  assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.15


def test_each_position_of_the_stream_is_augmented_by_itself():
  fields = {'augmentation.kind': 'random_erasing', 'batch_size': 8}
  batches = _batches(0, 2, num_images=1, **fields)
  masks = np.concatenate([batch['mask'] for batch in batches])
  assert len({mask.tobytes() for mask in masks}) == 16

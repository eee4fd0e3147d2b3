"""Makes training batches with tf.data, for placement 'host'.

Accelerators are hidden from TensorFlow, since JAX uses them.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.system.errors import DataError
from datasets.cut_paste import cut_paste
from datasets.random_erasing import random_erasing

Augment = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def train_batches(
  images: ImageArray,
  config: ConfigDict,
  start: int,
  stop: int,
  rows: np.ndarray | None = None,
) -> Iterator[dict[str, np.ndarray]]:
  """Makes the training batches of a range of steps.

  Batch `k` depends only on images, config and `k`, so that an interrupted run
  continues with the same batches.

  Args:
    images: the training set, uint8 [n, size, size, 3], of which only the rows
      of the next batches are read.
    config: see `configs/default.py`.
    start: first step.
    stop: step after the last one.
    rows: of each batch to make, ascending, int [n]; None for all. A row does
      not depend on the others.

  Returns:
    An iterator over batches with 'image', the good images, and 'input', the
    augmented ones, float32 [batch, size, size, 3] in [-1, 1]; and 'mask', the
    pixels changed by the augmentation, bool [batch, size, size].
  """
  tf.config.set_visible_devices([], 'GPU')
  tf.config.set_visible_devices([], 'TPU')
  rows = np.arange(config.batch_size) if rows is None else rows
  augment = build_augmentation(config)
  seed = tf.constant(config.seed, tf.int64)
  read = _Reader(images, config, rows)

  def make(position: tf.Tensor, image: tf.Tensor) -> dict[str, tf.Tensor]:
    image = (tf.cast(image, tf.float32) - 127.5) / 127.5
    augmented, mask = augment(image, tf.stack([seed, position]))
    return {'image': image, 'input': augmented, 'mask': mask}

  dataset = tf.data.Dataset.range(start, stop).map(read.in_graph)
  dataset = dataset.prefetch(2).unbatch()
  dataset = dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.batch(len(rows), drop_remainder=True)
  return read.explain(dataset.prefetch(2).as_numpy_iterator())


class _Reader:
  """Reads the rows of a step, which may be on the disk."""

  def __init__(self, images: ImageArray, config: ConfigDict, rows: np.ndarray):
    self._images, self._config, self._rows = images, config, rows
    self._failure: DataError | None = None

  def in_graph(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads positions in the stream, and the images there."""
    count = len(self._rows)
    positions, images = tf.numpy_function(
      self._read, [step], [tf.int64, tf.uint8]
    )
    return (
      tf.ensure_shape(positions, [count]),
      tf.ensure_shape(images, [count, *self._images.shape[1:]]),
    )

  def explain(
    self, batches: Iterator[dict[str, np.ndarray]]
  ) -> Iterator[dict[str, np.ndarray]]:
    """Yields batches; raises errors of reading as they were."""
    try:
      yield from batches
    except tf.errors.OpError as error:
      if self._failure:
        raise self._failure from error
      raise

  def _read(self, step: np.int64) -> tuple[np.ndarray, np.ndarray]:
    size = self._config.batch_size
    positions = np.arange(size) + step * size
    chosen = order(self._config.seed, positions, len(self._images))
    try:
      images = self._images[chosen[self._rows]]
    except DataError as error:
      self._failure = error
      raise
    return positions[self._rows], images


def order(seed: int, positions: np.ndarray, num_images: int) -> np.ndarray:
  """Returns the image indices at positions of the shuffled, repeated data set.

  Each epoch is a permutation of all images that depends on the seed and the
  epoch; batches may span two epochs.

  Args:
    seed: of the run.
    positions: consecutive positions, int64 [n], counted over all epochs.
    num_images: size of the training set.

  Returns:
    Indices of images, int64 [n].
  """
  first, last = positions[0] // num_images, positions[-1] // num_images
  epochs = [
    _permutation(seed, epoch, num_images) for epoch in range(first, last + 1)
  ]
  return np.concatenate(epochs)[positions - first * num_images]


@functools.lru_cache(maxsize=4)  # Many batches are of one epoch.
def _permutation(seed: int, epoch: int, num_images: int) -> np.ndarray:
  return np.random.default_rng([seed, epoch]).permutation(num_images)


def build_augmentation(config: ConfigDict) -> Augment:
  """Builds the augmentation of one image.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function that maps an image [size, size, 3] in [-1, 1] and a seed, int64
    [2], to the augmented image and the mask of changed pixels, bool
    [size, size].
  """
  options = config.augmentation
  shape = {
    'area_ratio': options.area_ratio,
    'aspect_ratio': options.aspect_ratio,
  }
  kinds = {
    'cut_paste': functools.partial(
      cut_paste,
      **shape,
      scale=options.scale,
      rotation=options.rotation,
      color_jitter=options.color_jitter,
    ),
    'random_erasing': functools.partial(random_erasing, **shape),
    'none': lambda image, seed: (image, tf.zeros(image.shape[:2], tf.bool)),
  }
  augment = kinds[options.kind]

  def augment_randomly(image: tf.Tensor, seed: tf.Tensor):
    seeds = tf.random.split(seed)
    chosen = tf.random.stateless_uniform([], seeds[0]) < options.probability
    augmented, mask = augment(image, seeds[1])
    return tf.where(chosen, augmented, image), mask & chosen

  return augment_randomly

"""Makes training batches with tf.data, for placement 'host'.

Accelerators are hidden from TensorFlow, since JAX uses them.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from datasets.cut_paste import cut_paste
from datasets.random_erasing import random_erasing

Augment = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def train_batches(
  images: np.ndarray,
  config: ConfigDict,
  start: int,
  stop: int,
  rows: np.ndarray | None = None,
) -> Iterator[dict[str, np.ndarray]]:
  """Makes the training batches of a range of steps.

  Batch `k` depends only on images, config and `k`, so that an interrupted run
  continues with the same batches.

  Args:
    images: the training set, uint8 [n, size, size, 3].
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
  positions = np.arange(start * config.batch_size, stop * config.batch_size)
  indices = order(config.seed, positions, len(images))
  rows = np.arange(config.batch_size) if rows is None else rows
  positions, indices = (
    each.reshape(-1, config.batch_size)[:, rows].ravel()
    for each in (positions, indices)
  )
  augment = build_augmentation(config)
  images = tf.constant(images)
  seed = tf.constant(config.seed, tf.int64)

  def make(position: tf.Tensor, index: tf.Tensor) -> dict[str, tf.Tensor]:
    image = (tf.cast(images[index], tf.float32) - 127.5) / 127.5
    augmented, mask = augment(image, tf.stack([seed, position]))
    return {'image': image, 'input': augmented, 'mask': mask}

  dataset = tf.data.Dataset.from_tensor_slices((positions, indices))
  dataset = dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.batch(len(rows), drop_remainder=True)
  return dataset.prefetch(2).as_numpy_iterator()


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
    np.random.default_rng([seed, epoch]).permutation(num_images)
    for epoch in range(first, last + 1)
  ]
  return np.concatenate(epochs)[positions - first * num_images]


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

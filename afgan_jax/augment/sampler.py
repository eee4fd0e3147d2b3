"""Samples batches on the device (`config.data.placement = 'device'`)."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.augment.cut_paste import cut_paste
from afgan_jax.augment.mixture import mixture
from afgan_jax.augment.random_erasing import random_erasing
from afgan_jax.augment.rectangle import draw_corner
from afgan_jax.augment.vary import build_variation
from afgan_jax.ops.pixels import to_float

Augment = Callable[
  [jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]
]


def build_augmentation(config: ConfigDict) -> Augment:
  """Builds the augmentation of one image.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from a key, an image [size, size, 3] in [-1, 1] and another one,
    the source of patches for 'mixture', to the augmented image and the mask of
    changed pixels, bool [size, size], or graded labels, see `mixture`.
  """
  options = config.augmentation
  shape = {
    'area_ratio': options.area_ratio,
    'aspect_ratio': options.aspect_ratio,
  }
  paste = functools.partial(
    cut_paste,
    **shape,
    scale=options.scale,
    rotation=options.rotation,
    color_jitter=options.color_jitter,
  )
  kinds = {
    'cut_paste': lambda key, image, _: paste(key, image),
    'random_erasing': lambda key, image, _: random_erasing(key, image, **shape),
    'none': lambda key, image, _: (image, jnp.zeros(image.shape[:2], bool)),
    'mixture': functools.partial(mixture, options=options.mixture),
  }
  augment = kinds[options.kind]

  def maybe_augment(key: jax.Array, image: jax.Array, other: jax.Array):
    choice_key, key = jax.random.split(key)
    augmented, mask = augment(key, image, other)
    chosen = jax.random.bernoulli(choice_key, options.probability)
    augmented = jnp.where(chosen, augmented, image)
    return augmented, mask & chosen if mask.dtype == bool else mask * chosen

  return maybe_augment


def order(key: jax.Array, positions: jax.Array, num_images: int) -> jax.Array:
  """Returns the images at some positions of the infinite training stream.

  The stream is a sequence of permutations of all images; batches may span two.

  Args:
    key: a typed key, the same for the whole run.
    positions: consecutive positions in the stream, int32 [n].
    num_images: size of the training set.

  Returns:
    Indices of images, int32 [n].
  """
  num_epochs = (positions.shape[0] - 1) // num_images + 2
  first = positions[0] // num_images
  permutations = jax.vmap(
    lambda epoch: jax.random.permutation(
      jax.random.fold_in(key, epoch), num_images
    )
  )(first + jnp.arange(num_epochs))
  return permutations[positions // num_images - first, positions % num_images]


def make_sampler(
  config: ConfigDict, num_shares: int = 1
) -> Callable[[jax.Array, jax.Array, jax.Array], dict[str, jax.Array]]:
  """Builds the sampler of batches for the compiled step.

  Args:
    config: see `configs/default.py`.
    num_shares: number of devices that share the batch.

  Returns:
    A function from the training images, uint8 [n, size, size, 3], the step and
    the device number to the device's shard of the batch, see `make_train_step`,
    with the 'mask' of pixels changed by the augmentation, bool
    [shard, tile, tile], or graded labels, see `mixture`; the images have the
    size of tiles as well.
  """
  make = _build_example(config)
  share = config.batch_size // num_shares

  def sample(
    images: jax.Array, step: jax.Array, device: jax.Array
  ) -> dict[str, jax.Array]:
    order_key, augment_key = jax.random.split(
      jax.random.fold_in(jax.random.key(config.seed), 1)
    )
    start = step * config.batch_size + device * share
    positions = start + jnp.arange(share)
    clean = to_float(images[order(order_key, positions, images.shape[0])])
    # One key per position, so that draws do not depend on the device count.
    keys = jax.vmap(functools.partial(jax.random.fold_in, augment_key))(
      positions
    )
    others = clean
    if config.augmentation.kind == 'mixture':
      drawn = jax.vmap(
        lambda key: jax.random.randint(
          jax.random.fold_in(key, 1), (), 0, images.shape[0]
        )
      )(keys)
      others = to_float(images[drawn])
    return jax.vmap(make)(keys, clean, others)

  return sample


def _build_example(
  config: ConfigDict,
) -> Callable[[jax.Array, jax.Array, jax.Array], dict[str, jax.Array]]:
  """Builds the function from a key and two images to an entry of the batch."""
  augment = build_augmentation(config)
  vary = build_variation(config)
  in_tiles = config.tile_size < config.image_size

  def make(
    key: jax.Array, clean: jax.Array, other: jax.Array
  ) -> dict[str, jax.Array]:
    if vary is not None:
      clean = vary(jax.random.fold_in(key, 2), clean)
    if in_tiles:
      clean = _random_crop(jax.random.fold_in(key, 3), clean, config.tile_size)
      other = _random_crop(jax.random.fold_in(key, 4), other, config.tile_size)
    augmented, mask = augment(key, clean, other)
    return {'image': clean, 'input': augmented, 'mask': mask}

  return make


def _random_crop(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
  """Crops a random square from an image."""
  row, column = draw_corner(key, jnp.full(2, image.shape[0] - size))
  corner = row.astype(int), column.astype(int), 0
  return jax.lax.dynamic_slice(image, corner, (size, size, 3))

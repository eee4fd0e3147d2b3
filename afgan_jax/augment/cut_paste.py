"""Cut-paste augmentation (§3.2): pastes a rectangle elsewhere in the image.

Has the same distribution as the TensorFlow version, `datasets/cut_paste.py`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from afgan_jax.augment.rectangle import (
  Range,
  draw_corner,
  draw_size,
)
from afgan_jax.ops.pixels import pixel_centers


class Patch(NamedTuple):
  """Source, target and changes of a pasted rectangle.

  Attributes:
    size: height and width of the source rectangle in pixels, [2].
    source: its top left corner, row and column, [2].
    target_size: height and width of the pasted rectangle, [2].
    target: its top left corner before the rotation about its centre, [2].
    angle: of the rotation, in radians.
    jitter: factors on brightness, contrast and saturation, [3].
  """

  size: jax.Array
  source: jax.Array
  target_size: jax.Array
  target: jax.Array
  angle: jax.Array
  jitter: jax.Array


def draw_patch(
  key: jax.Array,
  size: int,
  *,
  area_ratio: Range = (0.02, 0.15),
  aspect_ratio: Range = (0.3, 3.3),
  scale: Range = (1.0, 1.0),
  rotation: float = 0.0,
  color_jitter: float = 0.0,
) -> Patch:
  """Draws a random patch.

  Args:
    key: a typed key.
    size: side of the image in pixels.
    area_ratio: range of the rectangle's area over the image's.
    aspect_ratio: range of its height over its width.
    scale: range of the factor by which the content is magnified.
    rotation: largest angle in either direction, in degrees.
    color_jitter: largest change of brightness, contrast and saturation.

  Returns:
    The patch.
  """
  keys = jax.random.split(key, 6)
  shape = jnp.stack(draw_size(keys[0], size, area_ratio, aspect_ratio))
  factor = jax.random.uniform(keys[1], minval=scale[0], maxval=scale[1])
  target_shape = jnp.clip(jnp.round(shape * factor), 1, size)
  limit = jnp.deg2rad(rotation)
  return Patch(
    size=shape,
    source=draw_corner(keys[2], size - shape),
    target_size=target_shape,
    target=draw_corner(keys[3], size - target_shape),
    angle=jax.random.uniform(keys[4], minval=-limit, maxval=limit),
    jitter=jax.random.uniform(
      keys[5], (3,), minval=1 - color_jitter, maxval=1 + color_jitter
    ),
  )


def paste(image: jax.Array, patch: Patch) -> jax.Array:
  """Pastes a patch, with nearest-neighbour sampling.

  Pixels are copied exactly if the patch is neither rotated nor scaled.

  Args:
    image: [size, size, 3], float32 in [-1, 1].
    patch: from `draw_patch`.

  Returns:
    [size, size, 3], float32 in [-1, 1].
  """
  rows, columns = pixel_centers(image.shape[0])
  dy = rows - (patch.target[0] + patch.target_size[0] / 2)
  dx = columns - (patch.target[1] + patch.target_size[1] / 2)
  cos, sin = jnp.cos(patch.angle), jnp.sin(patch.angle)
  dy, dx = cos * dy - sin * dx, sin * dy + cos * dx
  inside = (jnp.abs(dy) < patch.target_size[0] / 2) & (
    jnp.abs(dx) < patch.target_size[1] / 2
  )

  shrink = patch.size / patch.target_size
  offsets = jnp.stack([dy * shrink[0], dx * shrink[1]], axis=-1)
  source = jnp.floor(patch.source + patch.size / 2 + offsets)
  source = jnp.clip(source, patch.source, patch.source + patch.size - 1)
  source = source.astype(jnp.int32)
  content = image[source[..., 0], source[..., 1]]
  content = jitter_color(content, inside, patch.jitter)
  return jnp.where(inside[..., None], content, image)


def jitter_color(
  content: jax.Array, inside: jax.Array, factors: jax.Array
) -> jax.Array:
  """Changes brightness, contrast and saturation, in that order.

  Args:
    content: [size, size, 3], in [-1, 1].
    inside: bool [size, size]; contrast is relative to the mean grey there.
    factors: on brightness, contrast and saturation, [3]; 1 is no change.

  Returns:
    [size, size, 3], in [-1, 1].
  """
  brightness, contrast, saturation = factors
  changed = brightness * (content + 1) - 1
  count = jnp.maximum(jnp.sum(inside), 1)
  mean = jnp.sum(jnp.where(inside, changed.mean(axis=-1), 0)) / count
  changed = mean + contrast * (changed - mean)
  grey = changed.mean(axis=-1, keepdims=True)
  changed = jnp.clip(grey + saturation * (changed - grey), -1, 1)
  # Factors of 1 must leave the pixels bitwise unchanged.
  return jnp.where(jnp.all(factors == 1), content, changed)


def cut_paste(
  key: jax.Array, image: jax.Array, **options
) -> tuple[jax.Array, jax.Array]:
  """Copies a random rectangle of an image to a random position.

  Args:
    key: a typed key.
    image: [size, size, 3], float32 in [-1, 1].
    **options: keyword arguments of `draw_patch`.

  Returns:
    The augmented image, and a mask of the changed pixels, bool [size, size].
  """
  augmented = paste(image, draw_patch(key, image.shape[0], **options))
  return augmented, jnp.any(augmented != image, axis=-1)

"""Augments an image by cut-paste (§3.2), in TensorFlow.

Samples from the same distribution as `afgan_jax/augment/cut_paste.py` in JAX.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

Range = tuple[float, float]


class Patch(NamedTuple):
  """Parameters of a cut-paste patch.

  Attributes:
    size: height and width of the source rectangle in pixels, [2].
    source: its top left corner, row and column, [2].
    target_size: height and width of the pasted rectangle, [2].
    target: its top left corner before the rotation about its centre, [2].
    angle: of the rotation, in radians.
    jitter: factors on brightness, contrast and saturation, [3].
  """

  size: tf.Tensor
  source: tf.Tensor
  target_size: tf.Tensor
  target: tf.Tensor
  angle: tf.Tensor
  jitter: tf.Tensor


def draw_size(
  uniform: tf.Tensor, size: int, area_ratio: Range, aspect_ratio: Range
) -> tf.Tensor:
  """Maps two uniform numbers to the height and width of a rectangle.

  Args:
    uniform: [2], in [0, 1).
    size: side of the image in pixels.
    area_ratio: range of the rectangle's area over the image's; uniform.
    aspect_ratio: range of its height over its width; log-uniform.

  Returns:
    Height and width in whole pixels, float32 [2], in [1, size].
  """
  area = _between(area_ratio, uniform[0])
  log_range = float(np.log(aspect_ratio[0])), float(np.log(aspect_ratio[1]))
  aspect = tf.exp(_between(log_range, uniform[1]))
  shape = size * tf.sqrt(tf.stack([area * aspect, area / aspect]))
  return tf.clip_by_value(tf.round(shape), 1, size)


def draw_corner(uniform: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
  """Maps two uniform numbers to a corner in whole pixels, [0, free], [2]."""
  return tf.floor(uniform * (free + 1))


def pixel_centers(size: int) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the rows [size, 1] and columns [1, size] of pixel centres."""
  centers = tf.range(size, dtype=tf.float32) + 0.5
  return centers[:, None], centers[None, :]


def draw_patch(
  seed: tf.Tensor,
  size: int,
  *,
  area_ratio: Range = (0.02, 0.15),
  aspect_ratio: Range = (0.3, 3.3),
  scale: Range = (1.0, 1.0),
  rotation: float = 0.0,
  color_jitter: float = 0.0,
) -> Patch:
  """Samples the parameters of a patch.

  Args:
    seed: of the stateless random numbers, int [2].
    size: side of the image in pixels.
    area_ratio: range of the rectangle's area over the image's.
    aspect_ratio: range of its height over its width.
    scale: range of the factor by which the pasted content is enlarged.
    rotation: maximum angle in either direction, in degrees.
    color_jitter: maximum change of brightness, contrast and saturation.

  Returns:
    The patch.
  """
  uniform = tf.random.stateless_uniform([11], seed)
  shape = draw_size(uniform[:2], size, area_ratio, aspect_ratio)
  factor = _between(scale, uniform[2])
  target_shape = tf.clip_by_value(tf.round(shape * factor), 1, size)
  max_angle = float(np.deg2rad(rotation))
  return Patch(
    size=shape,
    source=draw_corner(uniform[3:5], size - shape),
    target_size=target_shape,
    target=draw_corner(uniform[5:7], size - target_shape),
    angle=_between((-max_angle, max_angle), uniform[7]),
    jitter=_between((1 - color_jitter, 1 + color_jitter), uniform[8:]),
  )


def paste(image: tf.Tensor, patch: Patch) -> tf.Tensor:
  """Pastes a patch with nearest-neighbour sampling.

  Without rotation and scaling the pixels are copied exactly.
  Args:
    image: [size, size, 3], float32 in [-1, 1].
    patch: from `draw_patch`.

  Returns:
    [size, size, 3], float32 in [-1, 1].
  """
  rows, columns = pixel_centers(image.shape[0])
  dy = rows - (patch.target[0] + patch.target_size[0] / 2)
  dx = columns - (patch.target[1] + patch.target_size[1] / 2)
  cos, sin = tf.cos(patch.angle), tf.sin(patch.angle)
  dy, dx = cos * dy - sin * dx, sin * dy + cos * dx
  inside = (tf.abs(dy) < patch.target_size[0] / 2) & (
    tf.abs(dx) < patch.target_size[1] / 2
  )

  shrink = patch.size / patch.target_size
  offsets = tf.stack([dy * shrink[0], dx * shrink[1]], axis=-1)
  source = tf.floor(patch.source + patch.size / 2 + offsets)
  source = tf.clip_by_value(source, patch.source, patch.source + patch.size - 1)
  content = tf.gather_nd(image, tf.cast(source, tf.int32))
  content = jitter_color(content, inside, patch.jitter)
  return tf.where(inside[..., None], content, image)


def jitter_color(
  content: tf.Tensor, inside: tf.Tensor, factors: tf.Tensor
) -> tf.Tensor:
  """Changes brightness, contrast and saturation, in that order.

  Args:
    content: [size, size, 3], in [-1, 1].
    inside: bool [size, size]; contrast is changed around the mean grey value of
      these pixels.
    factors: of brightness, contrast and saturation, [3]; 1 changes nothing.

  Returns:
    [size, size, 3], in [-1, 1].
  """
  changed = factors[0] * (content + 1) - 1
  weight = tf.cast(inside, tf.float32)
  mean = tf.math.divide_no_nan(
    tf.reduce_sum(weight * tf.reduce_mean(changed, axis=-1)),
    tf.reduce_sum(weight),
  )
  changed = mean + factors[1] * (changed - mean)
  grey = tf.reduce_mean(changed, axis=-1, keepdims=True)
  changed = tf.clip_by_value(grey + factors[2] * (changed - grey), -1, 1)
  # Factors of 1 must not change any bit of the pixels.
  return tf.where(tf.reduce_all(factors == 1), content, changed)


def cut_paste(
  image: tf.Tensor, seed: tf.Tensor, **options
) -> tuple[tf.Tensor, tf.Tensor]:
  """Pastes a random rectangle of an image at a random position in it.

  Args:
    image: [size, size, 3], float32 in [-1, 1].
    seed: of the stateless random numbers, int [2].
    **options: of `draw_patch`.

  Returns:
    The augmented image, and a mask of the changed pixels, bool [size, size].
  """
  augmented = paste(image, draw_patch(seed, image.shape[0], **options))
  return augmented, tf.reduce_any(augmented != image, axis=-1)


def _between(limits: Range, uniform: tf.Tensor) -> tf.Tensor:
  return limits[0] + (limits[1] - limits[0]) * uniform

"""Gaussian smoothing, high-pass filter and gradient magnitude of images."""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from afgan_jax.ops.types import Images, Maps

_ORDER = 2  # Of the Butterworth filter.


def smooth_map(maps: Maps, *, sigma: float) -> Maps:
  """Smooths maps with a Gaussian, with mirrored borders.

  Args:
    maps: [batch, size, size].
    sigma: standard deviation as a fraction of the image's side; 0 for none.

  Returns:
    [batch, size, size].
  """
  size = maps.shape[-1]
  if not sigma:
    return maps
  radius = min(math.ceil(4 * sigma * size), size - 1)
  kernel = jnp.exp(
    -0.5 * (jnp.arange(-radius, radius + 1) / (sigma * size)) ** 2
  )
  kernel /= jnp.sum(kernel)
  # A Gaussian is separable, and a 1-D filter of all rows is a matrix product.
  padded = jnp.pad(jnp.eye(size), ((radius, radius), (0, 0)), mode='symmetric')
  filters = sum(
    weight * padded[i : i + size] for i, weight in enumerate(kernel)
  )
  return jnp.einsum('ij,bjk,lk->bil', filters, maps, filters)


def high_pass(images: Images, *, cutoff: float) -> Maps:
  """Filters grey images with a Butterworth high-pass, with mirrored borders.

  A discrete cosine transform (DCT-II) is the Fourier transform of the image
  with its mirror images, so that no border is an edge. As a matrix product it
  is fast on every device and can be exported.

  Args:
    images: [batch, size, size, channels], float32; of the channels the mean is
      filtered.
    cutoff: frequency with half the gain, in cycles per pixel, above 0.

  Returns:
    [batch, size, size], float32, of mean 0.
  """
  size = images.shape[1]
  cosines = _cosines(size).astype(np.float32)
  gain = _butterworth(size, cutoff).astype(np.float32)

  def multiply(rule: str, planes: Maps) -> Maps:
    # In full precision: the light's part is far larger than what is left.
    return jnp.einsum(
      rule, cosines, planes, cosines, precision=lax.Precision.HIGHEST
    )

  spectrum = multiply('ki,bij,lj->bkl', jnp.mean(images, axis=-1))
  return multiply('ki,bkl,lj->bij', gain * spectrum)


def _cosines(size: int) -> np.ndarray:
  """Returns the orthonormal DCT-II, float64 [frequencies, pixels]."""
  pixels = np.arange(size) + 0.5
  rows = np.cos(np.pi / size * np.outer(np.arange(size), pixels))
  rows[0] /= math.sqrt(2)
  return rows * math.sqrt(2 / size)


def _butterworth(size: int, cutoff: float) -> np.ndarray:
  """Returns the gain of each pair of frequencies, float64 [size, size]."""
  frequencies = np.arange(size) / (2 * size)  # In cycles per pixel.
  radius = np.hypot(frequencies[:, None], frequencies)
  radius[0, 0] = np.inf  # To not divide by 0.
  gain = 1 / (1 + (cutoff / radius) ** (2 * _ORDER))
  gain[0, 0] = 0  # The mean intensity.
  return gain


def gradient_magnitude(x: Maps) -> Maps:
  """Computes the gradient magnitude with Prewitt filters and edge padding.

  Args:
    x: [batch, height, width].

  Returns:
    [batch, height, width].
  """
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1)), mode='edge')
  rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
  columns = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
  horizontal = (rows[..., 2:] - rows[..., :-2]) / 3
  vertical = (columns[:, 2:] - columns[:, :-2]) / 3
  # The square root has no gradient at 0; the value there does not matter.
  return jnp.sqrt(horizontal**2 + vertical**2 + 1e-12)

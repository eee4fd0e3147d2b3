"""Gaussian smoothing and gradient magnitude of maps and images."""

import math

import jax.numpy as jnp

from afgan_jax.ops.types import Maps


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

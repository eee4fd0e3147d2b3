"""Array layout functions shared by `matrix` and `winograd`."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# Contracts the leading axes of both operands of a product.
LEADING = (((0,), (0,)), ((), ()))


def interleave(phases: Sequence[Sequence[jax.Array]]) -> jax.Array:
  """Interleaves 2×2 phases of [batch, h, w, ...] to [batch, 2h, 2w, ...]."""
  batch, height, width, *rest = phases[0][0].shape
  rows = [jnp.stack(row, axis=3) for row in phases]
  return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, *rest)


def pad_axis(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
  """Pads an axis with zeros; negative padding crops."""
  padding = [(0, 0, 0)] * x.ndim
  padding[axis] = (before, after, 0)
  return lax.pad(x, jnp.zeros((), x.dtype), padding)

"""Averages anomaly maps over several views of an image.

A view is the image, shifted by up to two pixels and, where such parts are good
as well, mirrored or rotated by quarter turns. The noise of a map differs from
view to view, a defect does not.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.ops.types import Images, Maps

_FURTHEST = 2  # Pixels of the largest shift, along each axis.
# Squared lengths of the shifts in the order of use: none, the corners of the
# square of all shifts, the middles of its sides, those between.
_LENGTHS = (0, 8, 4, 2, 1, 5)

Outputs = dict[str, jax.Array]


class View(NamedTuple):
  """Describes how an image is moved, in this order.

  Attributes:
    rows: pixels that it is shifted up.
    columns: pixels that it is shifted to the left.
    mirrored: whether left and right are swapped.
    turns: quarter turns, counterclockwise.
  """

  rows: int
  columns: int
  mirrored: bool
  turns: int


def list_views(config: ConfigDict) -> tuple[View, ...]:
  """Lists the views that an image is scored in.

  Args:
    config: see `configs/default.py`; a view is mirrored or rotated only if
      `config.variation` makes such images good.

  Returns:
    `config.score.views` different views; the first is the image itself.
  """
  span = range(-_FURTHEST, _FURTHEST + 1)
  shifts = sorted(
    itertools.product(span, span),
    key=lambda shift: _LENGTHS.index(shift[0] ** 2 + shift[1] ** 2),
  )
  symmetries = itertools.cycle(_symmetries(config.variation))
  pairs = itertools.islice(
    zip(shifts, symmetries, strict=False), config.score.views
  )
  return tuple(View(*shift, *symmetry) for shift, symmetry in pairs)


def _symmetries(variation: ConfigDict) -> list[tuple[bool, int]]:
  """Lists the symmetries of good parts as (mirrored, quarter turns)."""
  turns = [0]
  turns += [1, 3] if variation.rotation >= 90 else []
  turns += [2] if variation.rotation >= 180 else []
  mirrors = [(False, 0)]
  mirrors += [(True, 0)] if variation.flip_columns else []
  mirrors += [(True, 2)] if variation.flip_rows else []
  if variation.flip_rows and variation.flip_columns:
    mirrors.append((False, 2))
  both = itertools.product(turns, mirrors)
  return sorted({(mirror, (a + b) % 4) for a, (mirror, b) in both})


def average_views(
  see: Callable[[jax.Array], Outputs], images: Images, views: Sequence[View]
) -> Outputs:
  """Averages outputs over views of images, of which one is seen at a time.

  Args:
    see: maps images [batch, size, size, 3] to 'map', [batch, size, size], and
      'reconstruction', [batch, size, size, 3], and to numbers by other names,
      [batch] each.
    images: [batch, size, size, 3].
    views: the first is the images themselves.

  Returns:
    The means over views of maps, at the place of the images' pixels, and of
    numbers; the reconstructions of the images themselves.
  """
  if len(views) == 1:
    return see(images)
  # Joined as `jnp.stack` does, which cannot be exported.
  moved = jnp.concatenate([move(images, view)[None] for view in views])
  seen = lax.map(see, moved)
  means = {
    name: jnp.mean(values, axis=0)
    for name, values in seen.items()
    if name not in ('map', 'reconstruction')
  }
  maps = sum(
    restore(values, view)
    for values, view in zip(seen['map'], views, strict=True)
  )
  size = images.shape[1]
  counts = sum(_covered(size, view) for view in views)
  return {
    **means,
    'map': maps / jnp.asarray(counts, jnp.float32),
    'reconstruction': seen['reconstruction'][0],
  }


def move(images: Images, view: View) -> Images:
  """Moves images, extended by their edge pixels.

  Args:
    images: [batch, size, size, channels].
    view: how to move them.

  Returns:
    Of the images' shape.
  """
  moved = _window(_extend(_extend(images, 1), 2), view.rows, view.columns)
  if view.mirrored:
    moved = moved[:, :, ::-1]
  return jnp.rot90(moved, view.turns, axes=(1, 2))


def restore(maps: Maps, view: View) -> Maps:
  """Moves maps of a view back to the pixels of the images.

  Args:
    maps: [batch, size, size].
    view: that the maps are of.

  Returns:
    Of the same shape, 0 where the view shows nothing of the image.
  """
  moved = jnp.rot90(maps, -view.turns, axes=(1, 2))
  if view.mirrored:
    moved = moved[:, :, ::-1]
  margin = (_FURTHEST, _FURTHEST)
  padded = jnp.pad(moved, ((0, 0), margin, margin))
  return _window(padded, -view.rows, -view.columns)


def _extend(images: jax.Array, axis: int) -> jax.Array:
  """Repeats the edge pixels along an axis."""
  # As `jnp.pad` does, which cannot be exported for any number of images.
  first, last = (
    lax.slice_in_dim(images, at, at + 1, axis=axis)
    for at in (0, images.shape[axis] - 1)
  )
  parts = [first] * _FURTHEST + [images] + [last] * _FURTHEST
  return jnp.concatenate(parts, axis=axis)


def _window(padded: jax.Array, rows: int, columns: int) -> jax.Array:
  """Cuts out what lies under a window that is moved down and to the right."""
  size = padded.shape[1] - 2 * _FURTHEST
  top, left = _FURTHEST + rows, _FURTHEST + columns
  return padded[:, top : top + size, left : left + size]


def _covered(size: int, view: View) -> np.ndarray:
  """Returns 1 at the pixels of an image that a view shows, else 0."""
  rows, columns = (
    (np.arange(size) >= shift) & (np.arange(size) < size + shift)
    for shift in (view.rows, view.columns)
  )
  return np.outer(rows, columns).astype(np.float64)

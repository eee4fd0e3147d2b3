"""Generates synthetic defects on good images, to validate models on."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from afgan_jax.augment.probe import KINDS, probe
from afgan_jax.ops.pixels import from_float, to_float

NUM_IMAGES = 96  # Minimum of defective images of each kind.
_SEED = 0  # The defects do not depend on the run's seed.


class Probes(NamedTuple):
  """Images with synthetic defects of one kind.

  Attributes:
    kind: of defect.
    pixels: float16 [m, size, size, 3] in [0, 255], not rounded.
    masks: True on the defects, bool [m, size, size].
    regions: regions of interest, bool [m, size, size]; None for none.
  """

  kind: str
  pixels: np.ndarray
  masks: np.ndarray
  regions: np.ndarray | None


def make_probes(
  pixels: np.ndarray, regions: np.ndarray | None = None
) -> Iterator[Probes]:
  """Generates synthetic defects on good images, leaving out invisible ones.

  Args:
    pixels: of the images, [n, size, size, 3] in [0, 255].
    regions: their regions of interest, bool [n, size, size], to which the
      defects are limited; None for none.

  Yields:
    The defective images of each kind.
  """
  repeats = -(-NUM_IMAGES // len(pixels))
  repeated = np.repeat(pixels, repeats, axis=0)
  inside = None if regions is None else np.repeat(regions, repeats, axis=0)
  clean = to_float(repeated)
  # A defect on less than 1/4096 of the pixels is too small to be found.
  smallest = pixels.shape[1] ** 2 / 4096
  for number, kind in enumerate(KINDS):
    key = jax.random.fold_in(jax.random.key(_SEED), number)
    keys = jax.random.split(key, len(clean))
    make = jax.jit(_each(functools.partial(probe, kind)))
    defective, masks = jax.device_get(make(keys, clean))
    if inside is not None:
      masks = masks & inside
      defective = np.where(inside[..., None], defective, repeated)
    visible = masks.sum(axis=(1, 2)) >= smallest
    yield Probes(
      kind,
      defective[visible],
      masks[visible],
      None if inside is None else inside[visible],
    )


def _each(make: Callable) -> Callable:
  """Maps over keys and images in batches of 16, to save memory."""

  def run(keys: jax.Array, images: jax.Array):
    def one(pair):
      defective, mask = make(*pair)
      return from_float(defective).astype(np.float16), mask

    return jax.lax.map(one, (keys, images), batch_size=16)

  return run

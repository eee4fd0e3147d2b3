"""Generates synthetic defects on good images, to validate models on."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

import numpy as np

from afgan_jax.augment.canvas import Canvas
from afgan_jax.augment.probe import KINDS, Probe, probe
from afgan_jax.preprocessing.native import Native, Square
from afgan_jax.preprocessing.own_size import OwnDefect
from afgan_jax.system.threads import map_ahead

# The defects do not depend on the run's seed, so that runs are compared on the
# same ones.
SEEDS = (0, 1, 2, 3)
# Minimum and maximum of defective images of each kind and seed; a smaller set
# of good images has several defects of a kind on each.
_FEWEST, _MOST = 24, 96


@dataclasses.dataclass(frozen=True, eq=False)
class Probes:
  """Images with synthetic defects of one kind.

  Attributes:
    kind: of defect.
    pixels: float16 [m, size, size, 3] in [0, 255].
    masks: True on the defects, bool [m, size, size].
    regions: regions of interest, bool [m, size, size]; None for none.
    sources: index of the good image of each, [m].
    seeds: of `SEEDS`, [m].
    visible: whether anybody could see the defect, bool [m].
    areas: of the defect, as a share of the image, [m].
    own: the defects at the images' own size, one each; empty unless asked for.
  """

  kind: str
  pixels: np.ndarray
  masks: np.ndarray
  regions: np.ndarray | None
  sources: np.ndarray
  seeds: np.ndarray
  visible: np.ndarray
  areas: np.ndarray
  own: tuple[OwnDefect, ...] = ()

  def __len__(self) -> int:
    return len(self.pixels)


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
  """A defect as the networks see it, of one good image and one seed."""

  square: Square
  source: int
  seed: int
  visible: bool
  area: float
  own: OwnDefect | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class _Fixed:
  """A square that is changed as it is, since it has no other size."""

  pixels: np.ndarray
  inside: np.ndarray | None

  def reduce(self, pixels: np.ndarray, mask: np.ndarray) -> Square:
    return Square(pixels, mask, self.inside)


def count_probes(num_images: int) -> int:
  """Returns the number of defects that are drawn on so many good images.

  Args:
    num_images: at least one.
  """
  each = min(num_images, _MOST) * count_repeats(num_images)
  return len(KINDS) * len(SEEDS) * each


def make_probes(
  pixels: np.ndarray,
  regions: np.ndarray | None = None,
  native: Sequence[Callable[[], Native]] = (),
  *,
  keep_own: bool = False,
) -> Iterator[Probes]:
  """Generates synthetic defects on good images, leaving out invisible ones.

  The defects of an image depend on its content alone, not on the other images.

  Args:
    pixels: of the images, [n, size, size, 3] in [0, 255].
    regions: their regions of interest, bool [n, size, size], to which the
      defects are limited; None for none.
    native: opens each image at its own size, at which defects are then drawn
      before it is reduced as new images are; empty to draw them on `pixels`.
    keep_own: whether to keep the masks at the images' own size, and defects
      that the networks do not see, so that all geometries and sizes are
      measured on the same ones; otherwise these are left out.

  Yields:
    The defective images of each kind.
  """
  seeds = choose_seeds(pixels)
  repeats = count_repeats(len(pixels))

  def open_image(index: int) -> Native | _Fixed:
    if native:
      return native[index]()
    inside = None if regions is None else regions[index]
    return _Fixed(pixels[index], inside)

  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for kind in KINDS:

      def draw(index: int, kind: str = kind) -> list[Drawn]:
        if not seeds[index]:
          return []
        image = open_image(index)
        found = draw_probes(kind, image, seeds[index], repeats)
        drawn = (_reduce(image, index, *one, keep_own) for one in found)
        return [one for one in drawn if keep_own or one.square.mask.any()]

      drawn = list(map_ahead(pool, draw, range(len(pixels)), 8))
      yield stack(kind, sum(drawn, []), pixels.shape[1:3], regions is not None)


def choose_seeds(pixels: np.ndarray) -> list[list[int]]:
  """Chooses the seeds whose defects each image gets, by its content.

  Args:
    pixels: of the images, [n, size, size, 3].
  """
  keys = [hashlib.blake2b(image.tobytes()).digest() for image in pixels]
  chosen = [set(_choose(keys, seed)) for seed in SEEDS]
  return [
    [seed for seed in SEEDS if index in chosen[seed]]
    for index in range(len(pixels))
  ]


def count_repeats(num_images: int) -> int:
  """Returns how often an image gets a defect of each kind and seed."""
  return -(-_FEWEST // num_images)


def _reduce(
  image: Native | _Fixed, source: int, seed: int, found: Probe, keep_own: bool
) -> Drawn:
  """Reduces an image with a defect.

  Of an object, what the networks see may leave the defect out.
  """
  square = image.reduce(found.pixels, found.mask)
  own = None
  if keep_own and square.frame is not None:
    own = OwnDefect.crop(square.frame, found.mask)
  return Drawn(square, source, seed, found.visible, found.area, own)


def _choose(keys: Sequence[bytes], seed: int) -> list[int]:
  """Chooses the images that get defects of a seed, by their content."""
  order = sorted(
    range(len(keys)),
    key=lambda index: hashlib.blake2b(keys[index], salt=bytes([seed])).digest(),
  )
  return order[:_MOST]


def draw_probes(
  kind: str, image: Native | _Fixed, seeds: Sequence[int], repeats: int
) -> Iterator[tuple[int, Probe]]:
  """Draws the defects of one kind on one image, leaving out invisible ones.

  Args:
    kind: of `KINDS`.
    image: at its own size.
    seeds: of the defects.
    repeats: number of defects of each seed.

  Yields:
    The seed and the image with the defect.
  """
  canvas = Canvas(image.pixels, image.inside)
  content = hashlib.blake2b(image.pixels.tobytes(), digest_size=8)
  entropy = int.from_bytes(content.digest(), 'little')
  for seed in seeds:
    for repeat in range(repeats):
      key = (entropy, seed, list(KINDS).index(kind), repeat)
      found = probe(kind, np.random.default_rng(key), canvas)
      if found is not None:
        yield seed, found


def stack(
  kind: str,
  drawn: Sequence[Drawn],
  shape: tuple[int, ...],
  has_regions: bool,
) -> Probes:
  """Joins the defects of a kind.

  Args:
    kind: of the defects.
    drawn: the defects.
    shape: height and width of the squares.
    has_regions: whether they have regions of interest.
  """
  squares = [one.square for one in drawn]

  def stacked(name: str, empty: tuple[int, ...], kind: type) -> np.ndarray:
    arrays = [getattr(square, name) for square in squares]
    return np.array(arrays, kind).reshape(-1, *empty)

  return Probes(
    kind,
    stacked('pixels', (*shape, 3), np.float16),
    stacked('mask', shape, bool),
    stacked('region', shape, bool) if has_regions else None,
    np.array([one.source for one in drawn], int),
    np.array([one.seed for one in drawn], int),
    np.array([one.visible for one in drawn], bool),
    np.array([one.area for one in drawn], float),
    tuple(one.own for one in drawn if one.own is not None),
  )

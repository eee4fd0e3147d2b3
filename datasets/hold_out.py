"""Which good images are held out of training."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from afgan_jax.system.errors import DataError


def hold_out(
  paths: Sequence[str], fraction: float, seed: int, part: str = ''
) -> np.ndarray:
  """Draws the images that are held out.

  Args:
    paths: one per image.
    fraction: of the images, in [0, 1).
    seed: of the draw.
    part: a regular expression that finds in a file's name what all images of
      one part have in common: its first group, or all that it finds. Parts are
      held out as a whole, until the fraction is reached, for another image of a
      part that was trained on scores as no new part does. '' to draw images.

  Returns:
    [num_images], bool. One image, or one part, at least is not held out.

  Raises:
    DataError: a name has no such part, or all have the same.
  """
  wanted = round(fraction * len(paths))
  generator = np.random.default_rng(seed)
  if not part:
    drawn = generator.permutation(len(paths))
    wanted = min(wanted, len(paths) - 1)
    return np.isin(np.arange(len(paths)), drawn[:wanted])
  keys = np.array([_part(path, part) for path in paths])
  parts = np.unique(keys)
  if wanted and len(parts) == 1:
    raise DataError(
      f'config.data.part {part!r} finds {str(parts[0])!r} in the names '
      'of all good images, which leaves no part to hold out: give another.'
    )
  held_out = np.zeros(len(paths), bool)
  for key in generator.permutation(parts)[:-1]:
    if held_out.sum() >= wanted:
      break
    held_out |= keys == key
  return held_out


@dataclasses.dataclass(frozen=True)
class Division:
  """Which good images are measured on where nothing else tells.

  Attributes:
    fraction: of the images, in [0, 1]; 1 leaves nothing to learn from.
    part: see `hold_out`.
  """

  fraction: float = 0.2
  part: str = ''

  def divide(
    self, paths: Sequence[pathlib.Path]
  ) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Divides good images, always in the same way.

    Args:
      paths: of the images.

    Returns:
      What is learnt from, and what is measured on, each in the order given.

    Raises:
      DataError: see `hold_out`.
    """
    if self.fraction == 1:
      return [], list(paths)
    # Not by the run's seed: runs are compared on the same images.
    kept = hold_out([str(path) for path in paths], self.fraction, 0, self.part)
    learnt, measured = [], []
    for path, is_kept in zip(paths, kept, strict=True):
      (measured if is_kept else learnt).append(path)
    return learnt, measured


def _part(path: str, pattern: str) -> str:
  name = pathlib.Path(path).name
  found = re.search(pattern, name)
  if not found:
    raise DataError(
      f'{path} has nothing in its name that config.data.part '
      f'{pattern!r} finds: name the file by its part, or give another pattern.'
    )
  # A group that took no part in the match is None.
  return (found[1] if found.re.groups else found[0]) or ''

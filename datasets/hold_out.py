"""Splits good images into training images and held-out images."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from afgan_jax.preprocessing.parts import check_folds, part_of
from afgan_jax.system.errors import DataError


def hold_out(
  paths: Sequence[str], fraction: float, seed: int, part: str = ''
) -> np.ndarray:
  """Samples the images that are held out.

  Args:
    paths: one per image.
    fraction: of the images, in [0, 1).
    seed: of the random draw.
    part: a regular expression whose first group, or whole match without a
      group, identifies the part in a file's name. Whole parts are held out
      until the fraction is reached, since images of a part that was trained on
      do not score as new parts do. '' to sample single images.

  Returns:
    Mask of the held-out images, bool [num_images]. At least one image, or one
    part, is not held out.

  Raises:
    DataError: if a name does not match `part`, or all names have one part.
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
      f'config.data.part {part!r} finds {str(parts[0])!r} in the names of all '
      'good images, so no part can be held out: give another pattern.'
    )
  held_out = np.zeros(len(paths), bool)
  for key in generator.permutation(parts)[:-1]:
    if held_out.sum() >= wanted:
      break
    held_out |= keys == key
  return held_out


def fold_out(
  paths: Sequence[str], folds: int, fold: int, seed: int, part: str = ''
) -> np.ndarray:
  """Divides images into folds for cross-validation and holds out one.

  Args:
    paths: one per image.
    folds: number of folds, from 2. The numbers of their parts differ by one at
      most.
    fold: that is held out, counted from 0.
    seed: of the random division; each part is in one fold of it.
    part: see `hold_out`; with '' each image is a part.

  Returns:
    Mask of the held-out images, bool [num_images].

  Raises:
    DataError: if there are fewer parts than folds, or a name does not match
      `part`.
  """
  keys = [_part(path, part) for path in paths] if part else list(paths)
  check_folds(len(set(keys)), folds, part)
  parts = np.random.default_rng(seed).permutation(sorted(set(keys)))
  return np.isin(keys, parts[fold::folds])


@dataclasses.dataclass(frozen=True)
class Division:
  """Splits good images into training and test images.

  Attributes:
    fraction: test fraction, in [0, 1]; with 1 there are no training images.
    part: see `hold_out`.
  """

  fraction: float = 0.2
  part: str = ''

  def divide(
    self, paths: Sequence[pathlib.Path]
  ) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Splits good images deterministically.

    Args:
      paths: of the images.

    Returns:
      The training paths and the test paths, each in the order given.

    Raises:
      DataError: see `hold_out`.
    """
    if self.fraction == 1:
      return [], list(paths)
    # A fixed seed, so that all runs are compared on the same images.
    mask = hold_out([str(path) for path in paths], self.fraction, 0, self.part)
    train, test = [], []
    for path, is_test in zip(paths, mask, strict=True):
      (test if is_test else train).append(path)
    return train, test


def _part(path: str, pattern: str) -> str:
  part = part_of(path, pattern)
  if part is None:
    raise DataError(
      f'{path} does not match config.data.part {pattern!r}: put the part into '
      'the file name, or give another pattern.'
    )
  return part

"""Finds images that a run was trained on among others, by their content.

A run stores a hash of each training image as its networks see it, rounded to
bytes, so that copies are found whatever their names and folders.
"""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import PIL

from afgan_jax.jobs.data import Images
from afgan_jax.preprocessing.rows import ImageArray, Rows
from afgan_jax.system.errors import TrainedOn
from afgan_jax.system.files import write_text
from afgan_jax.system.log import logger

FILE = 'training_images.json'
_FOLDS = 'folds'
# Hashes of training images.
Known = frozenset[str]


def hashes(images: ImageArray) -> list[str]:
  """Hashes images.

  Args:
    images: uint8 [n, size, size, 3]; those on the disk have their hashes there.

  Returns:
    16 hexadecimal digits for each.
  """
  if isinstance(images, Rows):
    return [digest.decode() for digest in images.digests]
  return [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in images]


def record(workdir: pathlib.Path, images: ImageArray) -> Known:
  """Adds the training images of a run to its file.

  Args:
    workdir: of the run.
    images: that it is trained on from now on, uint8 [n, size, size, 3].

  Returns:
    The hashes of all images that it was ever trained on.
  """
  earlier, _ = _read(workdir)
  known = frozenset(hashes(images)) | (earlier or frozenset())
  write(workdir, known)
  return known


def write(
  workdir: pathlib.Path,
  known: Known,
  by_fold: Mapping[int, Known] | None = None,
) -> None:
  """Writes the hashes of the images that a run was trained on.

  Args:
    workdir: of the run, whose file is replaced.
    known: the hashes.
    by_fold: of an ensemble, those of the runs that hold out each fold; None if
      all runs hold out the same images.
  """
  # Another version may decode or resize the same file to other bytes.
  content: dict[str, Any] = {
    'pillow': PIL.__version__,
    'images': sorted(known),
  }
  if by_fold:
    content[_FOLDS] = {str(k): sorted(each) for k, each in by_fold.items()}
  write_text(workdir / FILE, json.dumps(content, indent=1) + '\n')


def training_images(
  workdir: pathlib.Path,
  find_train: Callable[[], Images | None],
  fold: int | None = None,
) -> Known | None:
  """Returns the hashes of the images that a run was trained on.

  Args:
    workdir: of the run.
    find_train: loads the training images of the config, or returns None if they
      are gone; called if the file is missing, as in runs of older versions, or
      was written with another version of Pillow.
    fold: of an ensemble, for those of the runs that hold out this fold; None
      for all.

  Returns:
    The hashes; None if they cannot be known.
  """
  known, is_current = _read(workdir, fold)
  if known is not None and is_current:
    return known
  train_split = find_train()
  if train_split is None:
    return None
  return frozenset(hashes(train_split.images)) | (known or frozenset())


def trained_on(known: Known, images: ImageArray) -> np.ndarray:
  """Finds the images that were trained on.

  Args:
    known: from `training_images`.
    images: uint8 [n, size, size, 3].

  Returns:
    bool [n].
  """
  return np.array([value in known for value in hashes(images)], bool)


def check_new(known: Known | None, good: Images, folder: str) -> None:
  """Checks that good images for a threshold were not trained on.

  Logs a warning if that cannot be known.

  Args:
    known: from `training_images`.
    good: the images.
    folder: that contains them.

  Raises:
    TrainedOn: if some were.
  """
  if known is None:
    logger.warning(unknown(f'the images of {folder}'))
    return
  found = trained_on(known, good.images)
  if found.any():
    raise TrainedOn(
      f'{found.sum()} of the {len(good)} good images of {folder} were trained '
      f'on, such as {good.paths[int(found.argmax())]}: they score lower than '
      'new ones.'
    )


def leave_out(known: Known | None, held_out: Images) -> Images:
  """Leaves out held-out images that were trained on, with a warning.

  They may be copies of training images, or the data set has changed since
  training, so that other images are held out than then.

  Args:
    known: from `training_images`; None leaves out none.
    held_out: good images.

  Returns:
    The others, possibly none.
  """
  if known is None or not len(held_out):
    return held_out
  found = trained_on(known, held_out.images)
  if not found.any():
    return held_out
  logger.warning(
    '%d of the %d held-out good images were trained on, or are copies of '
    'training images, such as %s; they are left out.',
    found.sum(),
    len(held_out),
    held_out.paths[int(found.argmax())],
  )
  return held_out.take(np.flatnonzero(~found))


def require_new(known: Known | None, held_out: Images) -> Images:
  """Leaves out held-out images that were trained on, as `leave_out`.

  Args:
    known: from `training_images`.
    held_out: good images.

  Raises:
    TrainedOn: if all were.
  """
  new = leave_out(known, held_out)
  if len(held_out) and not len(new):
    raise TrainedOn(
      f'All {len(held_out)} images that would be held out now were trained on, '
      'so the data set has changed since training.'
    )
  return new


def unknown(images: str) -> str:
  """Says that it cannot be checked whether images were trained on."""
  return (
    f'It cannot be checked whether {images} were trained on: the run has no '
    f'{FILE} of this version, and its data set is not there.'
  )


def _read(
  workdir: pathlib.Path, fold: int | None = None
) -> tuple[Known | None, bool]:
  """Reads the file of a run, or what it has of a fold.

  Returns:
    The hashes, None if the file is missing or damaged, and whether the present
    version of Pillow made them.
  """
  try:
    content = json.loads((workdir / FILE).read_text(encoding='utf-8'))
    found = content['images'] if fold is None else content[_FOLDS][str(fold)]
    return frozenset(found), content['pillow'] == PIL.__version__
  except (OSError, ValueError, KeyError, TypeError):
    return None, False

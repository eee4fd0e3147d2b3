"""Defines the interface through which jobs load images."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.evaluation import LabelledImages
from afgan_jax.preprocessing.native import Native
from afgan_jax.preprocessing.own_size import OwnImage
from afgan_jax.preprocessing.prepared import Tiles
from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.system.errors import DataError, MovedData, NothingHeldOut


class Images(Protocol):
  """Good images, e.g. a `datasets.split.Split`.

  Attributes:
    pixels: float [n, size, size, 3] in [0, 255], not rounded; used for scoring.
    images: the same, rounded to uint8; used for training. These arrays may be
      on the disk, where they are read by rows.
    regions: regions of interest, bool [n, size, size]; None for all of each
      image.
    large: reads the tiles of each image if it is divided into such, else empty.
    paths: one per image.
    native: opens each image at its own size.
    own: opens its ground truth at that size.
    light: mean and standard deviation of each square before it was normalised,
      in [0, 255], [n, 2]; None if unknown.
  """

  pixels: ImageArray
  images: ImageArray
  regions: ImageArray | None
  large: Sequence[Callable[[], Tiles]]
  paths: tuple[str, ...]
  native: Sequence[Callable[[], Native]]
  light: np.ndarray | None
  own: Sequence[Callable[[], OwnImage]]

  def __len__(self) -> int: ...

  def take(self, indices: np.ndarray) -> 'Images':
    """Returns the images at `indices`."""


class Data(Protocol):
  """Loads the images that a config names, e.g. the module `datasets.load`."""

  # Chooses what the config leaves to the program, see `config.automatic`.
  choose_geometry: Callable[[ConfigDict], ConfigDict]
  load_train: Callable[[ConfigDict], tuple[Images, Images]]
  find_train: Callable[[ConfigDict], tuple[Images | None, Images | None]]
  load_test: Callable[..., LabelledImages | None]
  load_good: Callable[[ConfigDict, str], Images]
  # Makes batches on the host; returns None if the devices make them.
  host_batches: Callable[[ImageArray, ConfigDict], Any]


@contextlib.contextmanager
def of_run(config: ConfigDict) -> Iterator[None]:
  """Explains the errors of loading a run's own images if they have moved.

  Args:
    config: of the run.

  Raises:
    MovedData: images could not be loaded, and their folder does not exist.
  """
  try:
    yield
  except DataError as error:
    if has_moved(config):
      raise MovedData(
        f'{config.data.path} does not exist, and config.data.path of this run '
        'expects its images there.'
      ) from error
    raise


def has_moved(config: ConfigDict) -> bool:
  """Returns True if a config names a folder or file that does not exist."""
  data = config.data
  if data.source == 'procedural' or not data.path:
    return False
  return not pathlib.Path(data.path).expanduser().exists()


def check_held_out(held_out: Images) -> None:
  """Checks that there are held-out images to put synthetic defects on.

  Args:
    held_out: good images that are not trained on.

  Raises:
    NothingHeldOut: if there are none.
  """
  if not len(held_out):
    raise NothingHeldOut(
      'No good images were held out to put synthetic defects on: train with '
      'config.calibration.fraction above 0.'
    )

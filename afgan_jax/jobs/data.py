"""The images of a job, from wherever they come."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.evaluation import LabelledImages
from afgan_jax.system.errors import NothingHeldOut


class Images(Protocol):
  """Good images; `datasets.source.Split` is one.

  Attributes:
    pixels: in [0, 255], [n, size, size, 3], not rounded, which is scored.
    images: the same, rounded to uint8, which is trained on.
  """

  pixels: np.ndarray
  images: np.ndarray

  def __len__(self) -> int: ...


class Data(Protocol):
  """Loads the images that a config names; the module `datasets.load` is one."""

  load_train: Callable[[ConfigDict], tuple[Images, Images]]
  find_train: Callable[[ConfigDict], tuple[Images | None, Images | None]]
  load_test: Callable[..., LabelledImages | None]
  load_good: Callable[[ConfigDict, str], Images]
  # Makes batches on the host; None where the devices make them.
  host_batches: Callable[[np.ndarray, ConfigDict], Any]


def check_held_out(held_out: Images) -> None:
  """Refuses to measure on synthetic defects without images to put them on.

  Args:
    held_out: good images that are not trained on.

  Raises:
    NothingHeldOut: there are none.
  """
  if not len(held_out):
    raise NothingHeldOut(
      'No good images were held out to put synthetic defects on: train with '
      'config.calibration.fraction above 0.'
    )

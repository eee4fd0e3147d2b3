"""From a configuration to arrays."""

import dataclasses
import functools
import glob
import pathlib
import sys
from collections.abc import Callable, Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.geometry import Frame
from afgan_jax.preprocessing.intensity import clip_levels
from afgan_jax.system.errors import DataError
from datasets.from_config import (
  data_fields,
  light_adjustment,
  make_reader,
  open_path,
  open_source,
)
from datasets.hold_out import hold_out
from datasets.listing import images_in
from datasets.source import Sample, Split, read_split


def load_train(config: ConfigDict) -> tuple[Split, Split]:
  """Reads the good images and holds a part of them out of training.

  Args:
    config: see `configs/default.py`.

  Returns:
    The images to train on, and the held-out ones, a share of
    `config.calibration.fraction` drawn by `config.seed`, see `hold_out`.

  Raises:
    DataError: there is no good image to train on, one cannot be read, or parts
      are asked for that names do not tell.
  """
  split = _read_good(config, open_source(config).train())
  held_out = hold_out(
    split.paths,
    config.calibration.fraction,
    config.seed,
    data_fields(config)['part'],
  )
  return split.take(np.flatnonzero(~held_out)), split.take(
    np.flatnonzero(held_out)
  )


def find_train(config: ConfigDict) -> tuple[Split | None, Split | None]:
  """Does as `load_train` for a model that is evaluated, which may do without.

  Args:
    config: see `configs/default.py`.

  Returns:
    What `load_train` does; None twice, with a line on stderr, if the images
    are no longer where the config says.
  """
  try:
    return load_train(config)
  except DataError as error:
    print(f'No trivial baselines: {error}', file=sys.stderr)
    return None, None


def load_good(config: ConfigDict, folder: str) -> Split:
  """Reads good images from another folder, all of them.

  Args:
    config: see `configs/default.py`.
    folder: in the layout of `FolderSource`, or with the images in it.

  Returns:
    The images.

  Raises:
    DataError: there are none, or one cannot be read.
  """
  source = open_path(config, folder, test_fraction=0.0)
  return _read_good(config, source.train())


def find_images(pattern: str) -> list[str]:
  """Lists image files for prediction.

  Args:
    pattern: a file, a folder (searched with its subfolders), or a glob pattern
      such as 'line/*.png'.

  Returns:
    Paths, in a fixed order.

  Raises:
    DataError: there is nothing of that name.
  """
  path = pathlib.Path(pattern)
  if path.is_dir():
    found = [str(image) for image in images_in(path)]
  elif path.exists():
    found = [pattern]
  else:
    found = sorted(
      name
      for name in glob.glob(pattern, recursive=True)
      if pathlib.Path(name).is_file()
    )
  if not found:
    raise DataError(f'--input={pattern}: there is no such image.')
  return found


def prediction_reader(
  config: ConfigDict,
) -> Callable[[str], tuple[np.ndarray, np.ndarray, Callable]]:
  """Returns what reads an image for prediction.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from a path to the image at its own size, uint8
    [height, width, 3]; to what the networks see of it, float16 [size, size, 3]
    in [0, 255]; and to what brings a map of that back to the image, see
    `Frame.restore`. It raises DataError, a ValueError, if the file cannot be
    read.
  """

  def read(path: str) -> tuple[np.ndarray, np.ndarray, Callable]:
    original = read_original(config, path)
    seen, frame = prepare(original, config)
    return original, seen, frame.restore

  return read


def read_original(config: ConfigDict, path: str) -> np.ndarray:
  """Reads an image at its own size, uint8 RGB [height, width, 3].

  Raises:
    DataError: the file cannot be read as an image.
  """
  return make_reader(config).original(path)


def prepare(
  original: np.ndarray, config: ConfigDict
) -> tuple[np.ndarray, Frame]:
  """Makes what the networks see of an image.

  Args:
    original: uint8 [height, width, 3].
    config: see `configs/default.py`.

  Returns:
    float16 [size, size, 3] in [0, 255], and where in the image that lies.
  """
  levels, frame = make_reader(config).see(original, config.image_size)
  adjusted = light_adjustment(config)(levels.astype(np.float32))
  return clip_levels(adjusted), frame


def host_batches(images: np.ndarray, config: ConfigDict) -> Callable | None:
  """Returns what makes batches with tf.data, if `config.data.placement` is so.

  Args:
    images: the training set, uint8 [n, size, size, 3].
    config: see `configs/default.py`.

  Returns:
    A function from the first step and the one after the last to an iterator
    over batches, see `pipeline.train_batches`; None for placement 'device'.

  Raises:
    DataError: TensorFlow is not installed.
  """
  if config.data.placement == 'device':
    return None
  try:
    from datasets.pipeline import train_batches  # Brings TensorFlow.
  except ImportError as error:
    raise DataError(
      f'config.data.placement=host needs TensorFlow ({error}): install it with '
      "pip install -c constraints.txt -e '.[tensorflow]', or take "
      'config.data.placement=device.'
    ) from error

  return functools.partial(train_batches, images, config)


def load_test(config: ConfigDict, folder: str | None = None) -> Split | None:
  """Reads the labelled images.

  Args:
    config: see `configs/default.py`.
    folder: another folder to take them from, in the layout of `FolderSource`.

  Returns:
    The images, but for those that cannot be read; None if the source has none.

  Raises:
    DataError: `folder` has none, or none can be read.
  """
  if folder is None:
    source = open_source(config)
  else:
    source = open_path(config, folder, test_fraction=1.0)
  samples = source.test()
  if samples:
    split = read_samples(config, samples, leave_out=True)
    return dataclasses.replace(split, notes=source.notes() + split.notes)
  if folder is not None:
    raise DataError(
      f'{folder} has no test images: put good ones into test/good and '
      'defective ones into test/<defect>.'
    )
  return None


def _read_good(config: ConfigDict, samples: Sequence[Sample]) -> Split:
  """Reads good images; says what was left out or is odd about them."""
  leave_out = data_fields(config)['skip_unreadable']
  split = read_samples(config, samples, leave_out=leave_out)
  for remark in (*split.left_out, *split.notes):
    print(remark, file=sys.stderr)
  return split


def read_samples(
  config: ConfigDict, samples: Sequence[Sample], *, leave_out: bool
) -> Split:
  """Reads samples as the networks see them; see `read_split`."""
  split = read_split(
    samples,
    config.image_size,
    light_adjustment(config),
    mask_size=config.metrics.pixel_size,
    leave_out=leave_out,
  )
  cache = make_reader(config).cache
  if cache is not None:
    cache.prune()
  return split

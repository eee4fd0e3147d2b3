"""Loads the images that a config names into arrays."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.system import memory, processes
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from datasets.folder import FolderSource
from datasets.from_config import open_path, open_source
from datasets.geometry_choice import choose_geometry as choose_geometry
from datasets.hold_out import fold_out, hold_out
from datasets.labels import GOOD_NAMES
from datasets.source import Sample, Source, held_out_samples
from datasets.split import Split, read_split
from datasets.squeeze import WARN, describe_squeeze, size_of
from datasets.streamed import Streamed, stream_good
from datasets.table import TableSource

Good = Split | Streamed

# Images whose size is read to find out whether they are long.
_NUM_MEASURED = 32


def load_train(config: ConfigDict) -> tuple[Good, Good]:
  """Loads the good images for training and held-out ones.

  Args:
    config: see `configs/default.py`.

  Returns:
    The training images, and the held-out ones: the fold
    `config.calibration.fold`, or those that the source itself holds out, or
    else a fraction `config.calibration.fraction` sampled with
    `config.calibration.seed`, see `hold_out`. They stay on the disk for
    placement 'host'.

  Raises:
    DataError: if there are no good images, one cannot be read, file names do
      not match `config.data.part`, there are more folds than parts, or there is
      no room for the images.
  """
  source = open_source(config)
  samples = source.train()
  _tell(config, source, samples)
  if config.calibration.folds:
    samples = [*samples, *held_out_samples(source)]
  good = _read_good(config, samples, config.data.path)
  separate = held_out_samples(source)
  if separate and not config.calibration.folds:
    return good, _scored(_read_good(config, separate, config.data.path))
  held_out = _held_out(config, good.paths)
  return good.take(np.flatnonzero(~held_out)), _scored(
    good.take(np.flatnonzero(held_out))
  )


def _scored(good: Good) -> Good:
  """Decodes the pixels of images now, so that errors come before training."""
  if len(good):
    _ = good.pixels
  return good


def _held_out(config: ConfigDict, paths: Sequence[str]) -> np.ndarray:
  """Chooses the images that are held out, bool [num_images]."""
  given, part = config.calibration, config.data.part
  if given.folds:
    return fold_out(paths, given.folds, given.fold, given.seed, part)
  return hold_out(paths, given.fraction, given.seed, part)


def _tell(
  config: ConfigDict, source: Source, samples: Sequence[Sample]
) -> None:
  """Logs how names were understood, and that long images are squeezed."""
  if isinstance(source, FolderSource | TableSource):
    for note in source.understood():
      logger.info(note)
  some = samples[:: -(-len(samples) // _NUM_MEASURED)]
  sizes = (size_of(sample.path) for sample in some)
  sentence = describe_squeeze(filter(None, sizes), config, WARN)
  if sentence:
    logger.warning('Long images: %s', sentence)


def find_train(config: ConfigDict) -> tuple[Good | None, Good | None]:
  """Loads the good images as `load_train`, if they still exist.

  Evaluation can run without them.

  Args:
    config: see `configs/default.py`.

  Returns:
    The result of `load_train`; (None, None) and a logged warning if the images
    cannot be loaded.
  """
  try:
    return load_train(config)
  except DataError as error:
    logger.warning('No trivial baselines: %s', error)
    return None, None


def load_good(config: ConfigDict, folder: str) -> Good:
  """Loads all good images of another folder.

  Args:
    config: see `configs/default.py`.
    folder: in a layout of `FolderSource`.

  Returns:
    The images.

  Raises:
    DataError: if there are none or one cannot be read.
  """
  source = open_path(config, folder, test_fraction=0.0)
  return _scored(_read_good(config, source.train(), folder))


def host_batches(images: ImageArray, config: ConfigDict) -> Callable | None:
  """Returns a function that makes batches with tf.data, for placement 'host'.

  Args:
    images: the training set, uint8 [n, size, size, 3].
    config: see `configs/default.py`.

  Returns:
    A function that takes the first step, the step after the last and, for a
    part of each batch, the rows of it, and returns an iterator over batches,
    see `pipeline.train_batches`; None for placement 'device'.

  Raises:
    DataError: if TensorFlow is not installed.
  """
  if config.data.placement == 'device':
    return None
  try:
    from datasets.pipeline import train_batches  # Imports TensorFlow.
  except ImportError as error:
    raise DataError(
      f'config.data.placement=host needs TensorFlow ({error}): install it with '
      "pip install -c constraints.txt -e '.[tensorflow]', or set "
      'config.data.placement=device.'
    ) from error

  return functools.partial(train_batches, images, config)


def load_test(config: ConfigDict, folder: str | None = None) -> Split | None:
  """Loads the labelled test images.

  Args:
    config: see `configs/default.py`.
    folder: loads them from this folder instead, in a layout of `FolderSource`.

  Returns:
    The readable images; None if the config's source has no test images.

  Raises:
    DataError: if `folder` has no test images or none can be read.
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
      'defective ones into test/<defect>, or into good and beside it a folder '
      'for each kind of defect, or list them in a table (.csv); folders of '
      f'good images may be called {", ".join(GOOD_NAMES)}.'
    )
  return None


def _read_good(
  config: ConfigDict, samples: Sequence[Sample], place: str
) -> Good:
  """Reads good images; logs which are left out and notes on the others."""
  good: Good | None = None
  if config.data.placement == 'host':
    good = stream_good(config, samples, place)
  if good is None:
    _check_memory(config, len(samples))
    leave_out = config.data.skip_unreadable
    good = read_samples(config, samples, leave_out=leave_out)
  for note in (*good.left_out, *good.notes):
    logger.warning(note)
  return good


def read_samples(
  config: ConfigDict, samples: Sequence[Sample], *, leave_out: bool
) -> Split:
  """Reads and preprocesses samples, see `read_split`."""
  preprocessor = Preprocessor.from_config(config)
  split = read_split(
    samples,
    preprocessor,
    mask_size=config.metrics.pixel_size,
    leave_out=leave_out,
  )
  if preprocessor.cache is not None and processes.is_writer():
    preprocessor.cache.prune()
  return split


def _check_memory(config: ConfigDict, count: int) -> None:
  """Checks that good images fit in memory, before they are read.

  Args:
    config: see `configs/default.py`.
    count: of the images.

  Raises:
    DataError: they do not.
  """
  free = memory.available()
  pixels = config.image_size**2
  # As float16 and as bytes, with masks and regions.
  each = pixels * (6 + 3 + 1 + bool(config.data.roi))
  needed = count * each
  if free is None or needed <= free:
    return
  advice = 'set config.data.placement=host to read them from the disk'
  if config.data.placement == 'host':
    gib = math.ceil(count * pixels * 9 / 2**30)
    advice = f'set config.data.cache_gib={gib} to read them from the disk'
  raise DataError(
    f'The {count} good images take {needed / 2**30:.1f} GiB of memory at '
    f'{config.image_size} px, and {free / 2**30:.1f} GiB are free: {advice}.'
  )

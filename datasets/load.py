"""From a configuration to arrays."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from datasets.from_config import open_path, open_source
from datasets.hold_out import hold_out
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
    config.data.part,
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
    logger.warning('No trivial baselines: %s', error)
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
  leave_out = config.data.skip_unreadable
  split = read_samples(config, samples, leave_out=leave_out)
  for remark in (*split.left_out, *split.notes):
    logger.warning(remark)
  return split


def read_samples(
  config: ConfigDict, samples: Sequence[Sample], *, leave_out: bool
) -> Split:
  """Reads samples as the networks see them; see `read_split`."""
  preprocessor = Preprocessor.from_config(config)
  split = read_split(
    samples,
    preprocessor,
    mask_size=config.metrics.pixel_size,
    leave_out=leave_out,
  )
  if preprocessor.cache is not None:
    preprocessor.cache.prune()
  return split

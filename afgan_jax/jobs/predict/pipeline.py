"""Predicts many images; memory is bounded by pixels in flight."""

import os
import pathlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent import futures
from itertools import chain

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.item import Item
from afgan_jax.jobs.predict.remote import common_address, is_remote
from afgan_jax.jobs.predict.rows import Row
from afgan_jax.jobs.predict.steps import Pipeline, observe
from afgan_jax.metrics.drift import Drift
from afgan_jax.system.threads import in_batches, map_ahead


def predict_rows(
  detector: Detector,
  paths: Sequence[str],
  output: pathlib.Path,
  root: str | None = None,
  drift: Drift | None = None,
) -> Generator[Row]:
  """Predicts images and writes their pictures.

  Threads read and write while the devices compute. Memory does not depend on
  the number of images.

  Args:
    detector: with a threshold.
    paths: of the images.
    output: the overlays go to `overlays/` in it, at the images' paths relative
      to `root`; maps and masks likewise.
    root: a folder that holds all images; None for their common parent folder.

  Yields:
    The rows of each image, one for each page, in the order of `paths`.

  Raises:
    OutputFull: a picture could not be written, since the disk is full.
  """
  if root is None:
    root = common_folder(paths)
  size, threads = detector.config.score.batch_size, os.cpu_count() or 1
  if detector.preprocessor.geometry.in_tiles:
    size = threads = ahead = 1  # An image and its map may be very large.
  else:
    ahead = max(size, 2 * threads)
  pipeline = Pipeline.create(detector, output, root, 2 * ahead + size)
  pool = futures.ThreadPoolExecutor(threads)
  try:
    files = map_ahead(pool, pipeline.open, paths, ahead)
    items = map_ahead(pool, pipeline.read, chain.from_iterable(files), ahead)
    scored = _scored(pipeline, in_batches(items, size), drift)
    yield from map_ahead(pool, pipeline.finish, scored, ahead)
  finally:
    pool.shutdown(cancel_futures=True)


def common_folder(paths: Sequence[str]) -> str:
  """Returns the deepest folder that holds all files, '' for no files."""
  if any(map(is_remote, paths)):
    return common_address(paths)
  folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
  return os.path.commonpath(folders) if folders else ''


def _scored(
  pipeline: Pipeline, batches: Iterable[list[Item]], drift: Drift | None
) -> Iterator[Item]:
  for batch in batches:
    pipeline.score(batch)
    for item in batch:
      if drift is not None:
        observe(drift, item)
      yield item

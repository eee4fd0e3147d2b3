"""Defines the steps from an image file to its row, safe in several threads."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.item import Item
from afgan_jax.jobs.predict.pictures import Pictures
from afgan_jax.jobs.predict.rows import (
  COLUMNS,
  Row,
  model_of,
  stamp_of,
  thresholds_of,
)
from afgan_jax.metrics.drift import Drift
from afgan_jax.preprocessing.header import count_pixels
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.system.errors import DataError, OutputFull, first_line
from afgan_jax.system.files import is_full
from afgan_jax.system.threads import Budget

# Pixels of the images that threads work on at a time; while one is decoded and
# cropped, it takes about 18 bytes a pixel.
_WORKING_PIXELS = 48_000_000
# Pixels of the decoded images that are kept until their overlays are drawn.
# Larger images are decoded a second time.
_KEPT_PIXELS = 96_000_000
_CHANGED = 'the file was changed while it was read, so it has no overlay'


@dataclasses.dataclass(frozen=True)
class Pipeline:
  """The steps from a path to a row; each may run in any thread.

  Attributes:
    detector: with a threshold.
    pictures: writes overlays, maps and masks.
    kept_pixels: an original with more is not kept for its overlay.
    budget: of pixels that are worked on at the same time.
  """

  detector: Detector
  pictures: Pictures
  kept_pixels: int
  budget: Budget = dataclasses.field(
    default_factory=lambda: Budget(_WORKING_PIXELS)
  )

  @classmethod
  def create(
    cls, detector: Detector, output: pathlib.Path, root: str, in_flight: int
  ) -> 'Pipeline':
    """Creates the pipeline.

    Args:
      detector: with a threshold.
      output: folder of the pictures.
      root: paths of pictures are those of the images relative to this folder.
      in_flight: largest number of items between `read` and `finish`.
    """
    pictures = Pictures.create(
      detector.config, detector.calibration, output, root
    )
    return cls(detector, pictures, _KEPT_PIXELS // in_flight)

  @functools.cached_property
  def thresholds(self) -> Row:
    """The columns of the thresholds, equal in all rows."""
    return thresholds_of(self.detector)

  @functools.cached_property
  def model(self) -> str:
    """The column `model`, see `model_of`."""
    return model_of(self.detector)

  def open(self, path: str) -> list[Item]:
    """Returns an item for each page of a file, at least one."""
    item = Item(path, stamp_of(path))
    try:
      file = self.detector.preprocessor.decoder.open_pages(path)
    except Exception as error:
      return [dataclasses.replace(item, error=explain(path, error))]
    item.pages, item.pixels = file.count, count_pixels(path)
    if file.count > 1:
      item.file, item.again = file, file.twin()
    return [
      dataclasses.replace(item, page=page) for page in range(1, file.count + 1)
    ]

  def read(self, item: Item) -> Item:
    """Decodes and crops a page, unless it is divided into tiles later."""
    if item.error is None and not self.detector.preprocessor.geometry.in_tiles:
      try:
        with self.budget.use(item.pixels):
          item.prepared = self._prepare(item)
      except Exception as error:
        item.error = explain(item.path, error)
    return item

  def _prepare(self, item: Item) -> PreparedImage:
    preprocessor = self.detector.preprocessor
    if item.file is None:
      prepared = preprocessor.prepare(item.path, page=item.index)
    else:
      original, note = preprocessor.decoder.page(item.file, item.index)
      prepared = preprocessor.prepare_original(original, item.path, note)
    height, width = prepared.original.shape[:2]
    if not self.pictures.need_original or height * width > self.kept_pixels:
      prepared = prepared._replace(original=None)
    return prepared

  def score(self, items: Sequence[Item]) -> None:
    """Scores a batch; if that fails, image by image."""
    items = [item for item in items if item.error is None]
    if not items:
      return
    try:
      results = self._score(items)
    except Exception as error:
      for item in items if len(items) > 1 else []:
        self.score([item])
      if len(items) == 1:
        items[0].error = explain(items[0].path, error)
      return
    for item, (score, values) in zip(items, results, strict=True):
      item.score, item.map = score, values
      if not (np.isfinite(item.score) and np.isfinite(item.map).all()):
        item.error = f'{item.path} has a score that is not finite.'

  def _score(self, items: Sequence[Item]) -> list[tuple[float, np.ndarray]]:
    """Returns the score and the map of each image."""
    if not self.detector.preprocessor.geometry.in_tiles:
      return self.detector.score_prepared([item.prepared for item in items])
    results = []
    for item in items:
      prepared = self._prepare(item)
      results += self.detector.score_prepared([prepared])
      item.prepared = prepared._replace(tiles=None)  # To save memory.
    return results

  def finish(self, item: Item) -> Row:
    """Writes the pictures of a page and returns its row.

    Raises:
      OutputFull: a picture could not be written, since the disk is full.
    """
    row = dict.fromkeys(COLUMNS) | {'path': item.path}
    row |= self.thresholds | {'model': self.model}
    row |= {'page': item.page or None, 'pages': item.pages or None}
    if item.stamp:
      row |= item.stamp._asdict()
    notes = []
    if item.prepared:
      frame = item.prepared.frame
      row |= {'width': frame.width, 'height': frame.height}
      notes.append(item.prepared.note)
    if item.error is None:
      try:
        with self.budget.use(item.pixels):
          prediction = self.detector.interpret(
            item.prepared, item.score, item.map, with_map=False
          )
          for name in ('score', 'probability', 'verdict', 'regions'):
            row[name] = getattr(prediction, name)
          notes = [prediction.note]
          notes += self._draw(item, prediction.region_threshold)
      except Exception as error:
        if isinstance(error, OSError) and is_full(error):
          raise OutputFull(
            f'{error.filename} cannot be written ({error.strerror}).'
          ) from error
        item.error = explain(item.path, error)
    return row | {
      'error': item.error,
      'note': '; '.join(filter(None, notes)) or None,
    }

  def _draw(self, item: Item, region_threshold: float | None) -> list[str]:
    """Writes the pictures and returns notes on them."""
    if not self.pictures.kinds:
      return []
    original, note = item.prepared.original, ''
    if original is None and self.pictures.need_original:
      original = self._original(item)
      note = _CHANGED if original is None else ''
    page = item.page if (item.pages or 1) > 1 else None
    frame = item.prepared.frame
    other = self.pictures.write(
      item.path, page, original, frame, item.map, region_threshold
    )
    return [note, other]

  def _original(self, item: Item) -> np.ndarray | None:
    """Decodes a page again; returns None if the file has changed."""
    decoder = self.detector.preprocessor.decoder
    try:
      if item.again is None:
        original, _ = decoder.image(item.path, page=item.index)
      else:
        original, _ = decoder.page(item.again, item.index)
    except DataError:
      if stamp_of(item.path) == item.stamp:
        raise
      return None
    return original if stamp_of(item.path) == item.stamp else None


def observe(drift: Drift, item: Item) -> None:
  """Adds an item to those that are compared with the held-out images.

  Args:
    drift: compares them.
    item: after `Pipeline.score`; left out if it has an error.
  """
  if item.error is None and item.prepared is not None:
    assert item.score is not None  # As it has no error.
    drift.update(item.score, item.prepared.light)


def explain(path: str, error: Exception) -> str:
  """Returns a sentence on why an image was not predicted, naming a file."""
  if MemoryError in (type(error), type(error.__cause__)):
    return f'{path} needs more memory than there is.'
  if isinstance(error, DataError):
    return str(error)
  if isinstance(error, OSError) and error.filename:
    return f'{error.filename} cannot be written ({error.strerror}).'
  return f'{path} cannot be processed ({first_line(error)}).'

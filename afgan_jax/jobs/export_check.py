"""Compares an exported detector in all runtimes with the trained one."""

import json
import pathlib
import time
from typing import Any, NamedTuple

import numpy as np

from afgan_jax.artefact import artefact, runtimes
from afgan_jax.artefact.layout import DETECTOR, GOLDEN, GOLDEN_TABLE
from afgan_jax.detector import Detector
from afgan_jax.system.errors import UsageError

# Largest difference of scores, in standard deviations of good scores.
TOLERANCE = 1e-3


class _Golden(NamedTuple):
  """A golden image and the results of the trained detector.

  Attributes:
    path: of the image.
    pixels: that the networks see, [size, size, 3].
    values: their anomaly map, [size, size].
    region: of interest, bool [1, size, size]; None for all of it.
    score: of the image.
    model_score: of the pixels; another one only for a tile of the image.
    verdict: on the image.
  """

  path: str
  pixels: np.ndarray
  values: np.ndarray
  region: np.ndarray | None
  score: float
  model_score: float
  verdict: str


class Comparison(NamedTuple):
  """Differences of one runtime to the trained detector, on golden images.

  Attributes:
    runtime: its name.
    num_images: number of golden images.
    pixels: largest difference of the pixels that the networks see.
    score: largest difference of scores, in standard deviations of good scores.
    map: largest difference of maps, likewise.
    verdicts: number of verdicts that differ although the score is further from
      the threshold than the tolerance.
    load_seconds: time to load the model.
    seconds: median time to predict an image, from its file.
  """

  runtime: str
  num_images: int
  pixels: float
  score: float
  map: float
  verdicts: int
  load_seconds: float
  seconds: float

  @property
  def agrees(self) -> bool:
    """Whether all differences are within the tolerance."""
    close = max(self.score, self.map) <= TOLERANCE
    return close and not self.pixels and not self.verdicts

  def describe(self) -> str:
    """Describes the comparison in a line."""
    return (
      f'{self.runtime}: {self.num_images} golden images, largest differences '
      f'{self.pixels:.2g} of pixels, {self.score:.2g} of scores and '
      f'{self.map:.2g} of maps in standard deviations of good scores, '
      f'{self.verdicts} verdicts changed; {self.load_seconds:.2f} s to load, '
      f'{1000 * self.seconds:.1f} ms an image.'
    )


def check(folder: pathlib.Path) -> list[Comparison]:
  """Compares all installed runtimes with the stored results.

  Args:
    folder: of the exported detector.

  Returns:
    One comparison for each runtime that can run it.

  Raises:
    UsageError: if the folder is damaged, or nothing that can run it is
      installed.
  """
  exported = artefact.read(folder)
  names = runtimes.runtimes_for(exported)
  if not names:
    runtimes.load(exported)  # Raises.
  rows = _read_golden(folder / GOLDEN)
  return [_compare(exported, rows, name) for name in names]


def require_agreement(
  folder: pathlib.Path, comparisons: list[Comparison]
) -> None:
  """Raises UsageError if a runtime gives other results."""
  for comparison in comparisons:
    if not comparison.agrees:
      raise UsageError(
        f'{folder / DETECTOR}: {comparison.runtime} gives other results than '
        f'the trained detector. {comparison.describe()}'
      )


def _read_golden(folder: pathlib.Path) -> list[_Golden]:
  """Reads the golden images' rows and arrays; raises UsageError."""
  try:
    table = (folder / GOLDEN_TABLE).read_text(encoding='utf-8')
    return [_read_row(folder, row) for row in json.loads(table)]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise UsageError(f'{folder} is damaged: export the run again.') from error


def _read_row(folder: pathlib.Path, row: dict[str, Any]) -> _Golden:
  model = row['model']
  region = model['region']
  return _Golden(
    str(folder / row['name']),
    _read(folder / model['pixels']),
    _read(folder / model['map']),
    None if region is None else _read(folder / region)[None],
    float(row['score']),
    float(model['score']),
    str(row['verdict']),
  )


def _compare(
  exported: artefact.Artefact,
  rows: list[_Golden],
  runtime: str,
) -> Comparison:
  begin = time.perf_counter()
  detector = Detector.load(exported.folder, runtime=runtime)
  load_seconds = time.perf_counter() - begin
  unit = exported.content['good_score_deviation']
  found = [_compare_image(detector, row) for row in rows]
  changed = sum(
    verdict != row.verdict
    and abs(row.score - exported.calibration.threshold) > TOLERANCE * unit
    for (*_, verdict, _), row in zip(found, rows, strict=True)
  )
  pixels, scores, maps, _, seconds = zip(*found, strict=True)
  return Comparison(
    runtime,
    len(rows),
    max(pixels),
    max(scores) / unit,
    max(maps) / unit,
    changed,
    load_seconds,
    float(np.median(seconds)),
  )


def _compare_image(
  detector: Detector, row: _Golden
) -> tuple[float, float, float, str, float]:
  """Returns differences of pixels, scores and maps, the verdict, seconds."""
  begin = time.perf_counter()
  prediction = detector.predict(row.path)
  seconds = time.perf_counter() - begin
  prepared = detector.preprocessor.prepare(row.path)
  seen = prepared.pixels
  if prepared.tiles is not None:
    seen = prepared.tiles.cut(prepared.tiles.indices[0])
  scores = detector.score(row.pixels[None], row.region)
  difference = max(
    abs(prediction.score - row.score),
    abs(float(scores['score'][0]) - row.model_score),
  )
  return (
    float(np.abs(seen.astype(np.float32) - row.pixels).max()),
    difference,
    float(np.abs(scores['map'][0] - row.values).max()),
    prediction.verdict,
    seconds,
  )


def _read(path: pathlib.Path) -> np.ndarray:
  """Reads an array; a mapped one cannot hold Python objects."""
  return np.array(np.lib.format.open_memmap(path, mode='r'))

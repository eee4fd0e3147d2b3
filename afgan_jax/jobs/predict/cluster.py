"""Predicts images on the workers of a Dask cluster.

The workers score; this process alone writes rows, one when its image is done.
A task that is lost with its worker is given to another.
"""

import dataclasses
import pathlib
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.pipeline import predict_rows
from afgan_jax.jobs.predict.remote import fetched
from afgan_jax.jobs.predict.rows import COLUMNS, Row, model_of, thresholds_of
from afgan_jax.metrics.drift import Drift
from afgan_jax.system.errors import OtherPredictions, UsageError, first_line
from afgan_jax.system.extras import needed
from afgan_jax.system.threads import in_batches

_TASKS_PER_THREAD = 2  # Submitted ahead, so that no worker waits.
_LOADED: dict[str, Detector] = {}
_LOADING = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Cluster:
  """A Dask cluster whose workers have the package and see the same files.

  Attributes:
    address: of its scheduler, such as `tcp://10.0.0.5:8786`.
    workdir: of the run or the exported detector.
    given: changes the config, see `Detector.load`.
    batch_size: images of a task; None for as many as are scored at once, since
      JAX fills up smaller batches, or for one image if it is divided into
      tiles.
    wait_seconds: for a scheduler and a first worker.
  """

  address: str
  workdir: pathlib.Path
  given: Any = None
  batch_size: int | None = None
  wait_seconds: float = 60.0

  def predict_rows(
    self,
    detector: Detector,
    paths: Sequence[str],
    output: pathlib.Path,
    root: str,
    drift: Drift | None = None,
  ) -> Generator[Row]:
    """Predicts images as `pipeline.predict_rows`, on the workers.

    Args:
      detector: the same as the workers load.
      paths: of the images.
      output: folder of the pictures, which the workers write.
      root: a folder that holds all images.
      drift: gets the score of each image; None for none.

    Yields:
      The rows of the images, as they are done.

    Raises:
      UsageError: if the cluster cannot be reached, or a worker cannot load the
        model.
      OtherPredictions: if the workers have another model.
    """
    with needed('Predicting on a cluster', 'cluster'):
      import distributed
    folder = str(self.workdir.absolute())
    job = _Job(
      uuid.uuid4().hex, folder, self.given, str(output.absolute()), root
    )
    with self._connect(distributed) as client:
      batches = in_batches(paths, self.batch_size or _size_of(detector))
      model = model_of(detector)
      for row in _rows(client, distributed, job, batches, detector):
        if row['model'] not in (None, model):
          raise OtherPredictions(
            f'A worker has another model in {folder}, so its rows are not '
            'comparable.'
          )
        if drift is not None and row['error'] is None:
          drift.update(row['score'])
        yield row

  def _connect(self, distributed: Any) -> Any:
    try:
      client = distributed.Client(
        self.address, timeout=self.wait_seconds, set_as_default=False
      )
    except (OSError, ValueError, TimeoutError) as error:
      raise UsageError(
        f'No scheduler answers at {self.address} ({first_line(error)}).'
      ) from error
    try:
      client.wait_for_workers(1, timeout=self.wait_seconds)
    except TimeoutError as error:
      client.close()
      raise UsageError(
        f'The scheduler at {self.address} has no worker after '
        f'{self.wait_seconds:.0f} s.'
      ) from error
    return client


@dataclasses.dataclass(frozen=True)
class _Job:
  """Holds all that a worker needs beside paths; `key` is new in each call."""

  key: str
  workdir: str
  given: Any
  output: str
  root: str

  def __call__(self, paths: list[str]) -> list[Row]:
    """Predicts a batch; runs on a worker."""
    detector = self._load()
    with fetched(paths, self.root) as copies:
      root = _root_of(copies, self.root)
      rows = list(
        predict_rows(detector, list(copies), pathlib.Path(self.output), root)
      )
    return [_rename(row, copies) for row in rows]

  def _load(self) -> Detector:
    """Loads the model once for each worker and call."""
    with _LOADING:
      if self.key not in _LOADED:
        _LOADED.clear()
        _LOADED[self.key] = Detector.load(self.workdir, self.given)
      return _LOADED[self.key]


def _size_of(detector: Detector) -> int:
  """Returns the number of images that a worker scores at once."""
  if detector.preprocessor.geometry.in_tiles:
    return 1
  return detector.config.score.batch_size


def _root_of(copies: dict[str, str], root: str) -> str:
  """Returns the folder of copies that stands for `root`."""
  copy, path = next(iter(copies.items()))
  return copy[: len(copy) - len(path[len(root) :])] if copy != path else root


def _rename(row: Row, copies: dict[str, str]) -> Row:
  """Returns a row of a copy as that of its image."""
  path = copies[row['path']]
  if path == row['path']:
    return row
  renamed = row | {'path': path, 'modified': None}
  if row['error'] is not None:
    renamed['error'] = row['error'].replace(row['path'], path)
  return renamed


def _rows(
  client: Any,
  distributed: Any,
  job: _Job,
  batches: Iterator[list[str]],
  detector: Detector,
) -> Iterator[Row]:
  """Submits batches, a bounded number ahead, and yields rows of those done."""
  waiting = distributed.as_completed(loop=client.loop)
  tasks: dict[str, list[str]] = {}

  def submit(paths: list[str]) -> None:
    future = client.submit(job, paths, pure=False)
    tasks[future.key] = paths
    waiting.add(future)

  def fill() -> None:
    threads = sum(client.nthreads().values())
    while len(tasks) < max(_TASKS_PER_THREAD * threads, 1):
      paths = next(batches, None)
      if paths is None:
        return
      submit(paths)

  fill()
  try:
    while tasks:
      future = next(waiting)
      paths = tasks.pop(future.key)
      yield from _result(future, paths, submit, distributed, detector)
      fill()
  finally:
    client.cancel(list(waiting.futures))


def _result(
  future: Any,
  paths: list[str],
  submit: Callable[[list[str]], None],
  distributed: Any,
  detector: Detector,
) -> list[Row]:
  """Returns the rows of a finished task.

  A batch whose workers died is divided; an image whose workers died has a row
  that says so.
  """
  try:
    return future.result()
  except distributed.KilledWorker:
    if len(paths) > 1:
      for path in paths:
        submit([path])
      return []
    row = dict.fromkeys(COLUMNS) | {'path': paths[0]} | thresholds_of(detector)
    error = f'{paths[0]} cannot be processed (the workers on it died).'
    return [row | {'model': model_of(detector), 'error': error}]

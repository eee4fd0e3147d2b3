"""Keeps the models in service: loads, swaps and sets their thresholds."""

import asyncio
import pathlib
from collections.abc import Callable
from concurrent import futures
from typing import TYPE_CHECKING

import numpy as np

from afgan_jax.service.journal import Journal
from afgan_jax.service.limits import Limits
from afgan_jax.service.loaded import Loaded, version_of, with_threshold
from afgan_jax.service.metrics import Metrics
from afgan_jax.service.names import Place
from afgan_jax.service.stamps import stamp_of
from afgan_jax.service.thresholds import Thresholds
from afgan_jax.service.work import Pools
from afgan_jax.system.errors import DataError, UsageError, first_line

if TYPE_CHECKING:  # Its module imports JAX.
  from afgan_jax.detector import Detector

Load = Callable[[pathlib.Path], 'Detector']


class Model:
  """A name under which detectors are served, one after the other.

  Attributes:
    name: in requests.
    folder: of the model.
    loaded: the present detector and its queue.
    detector: the same with the threshold of the service, if one was set.
    threshold: that of the service; None for the model's own.
    problem: why the newest model in the folder is not in service, or ''.
  """

  def __init__(self, place: Place, loaded: Loaded):
    """Serves `loaded` with its own threshold."""
    self.name, self.folder = place
    self.problem = ''
    self.put(loaded, None)

  def put(self, loaded: Loaded, threshold: float | None) -> None:
    """Serves a detector from now on, with a threshold or with its own."""
    detector = with_threshold(loaded.detector, threshold)
    self.loaded, self.threshold, self.detector = loaded, threshold, detector


class Opener:
  """Loads detectors, each beside the one in service."""

  def __init__(
    self,
    load: Load,
    limits: Limits,
    pools: Pools,
    metrics: Metrics,
  ):
    """Loads with `load`."""
    self._load, self._limits = load, limits
    self._pools, self._metrics = pools, metrics
    self._thread = futures.ThreadPoolExecutor(1, 'loading')

  def open(self, place: Place) -> Loaded:
    """Loads a model and scores an image, so that the first request is fast.

    Raises:
      UsageError: it cannot be served; one sentence that names it.
    """
    stamp = stamp_of(place.folder)
    count = self._metrics.batches(place.name)
    try:
      detector = self._load(place.folder)
      _try(detector)
      return Loaded(detector, self._limits, self._pools, count, stamp)
    except (UsageError, DataError) as error:
      sentence = str(error).removesuffix('.')
    except Exception as error:  # A damaged file can raise any.
      sentence = f'{place.folder} cannot be loaded ({first_line(error)})'
    raise UsageError(f'The model {place.name!r} cannot be served: {sentence}.')

  async def open_beside(self, place: Place) -> Loaded:
    """Loads a model in a thread, as `open`."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(self._thread, self.open, place)

  def shutdown(self) -> None:
    """Ends the thread."""
    self._thread.shutdown(wait=False, cancel_futures=True)


class Models:
  """All models in service."""

  def __init__(
    self,
    places: list[Place],
    opener: Opener,
    journal: Journal,
    thresholds: Thresholds,
  ):
    """Loads the models.

    Args:
      places: their names and folders.
      opener: loads them.
      journal: told of each change.
      thresholds: those of the service that are kept on disk.

    Raises:
      UsageError: a model cannot be served.
    """
    self._opener, self._journal = opener, journal
    self._thresholds = thresholds
    self._locks = {place.name: asyncio.Lock() for place in places}
    self.by_name: dict[str, Model] = {}
    for place in places:
      model = Model(place, opener.open(place))
      self.by_name[place.name] = model
      self._note(model, 'start', None)
      self._restore_threshold(model)

  def __iter__(self):
    return iter(self.by_name.values())

  async def reload(self, name: str, who: str) -> bool:
    """Loads a model anew and swaps it in; the old one answers what it has.

    Args:
      name: of the model.
      who: asked for it, for the log.

    Returns:
      Whether it succeeded; otherwise `Model.problem` says why not.
    """
    model = self.by_name[name]
    async with self._locks[name]:
      try:
        loaded = await self._opener.open_beside(Place(name, model.folder))
      except UsageError as error:
        if str(error) != model.problem:
          kept = version_of(model.detector)
          self._journal.write(
            'model', model=name, who=who, error=str(error), kept=kept
          )
        model.problem = str(error)
        return False
      old, before = model.loaded, version_of(model.detector)
      # Another model's scores are on another scale.
      threshold = model.threshold if loaded.version == old.version else None
      if model.threshold is not None and threshold is None:
        self._forget_threshold(model, loaded, who)
      model.put(loaded, threshold)
      model.problem = ''
      old.retire()
    self._note(model, who, before)
    return True

  def set_threshold(self, name: str, value: float | None, who: str) -> None:
    """Sets the threshold of the service for a model.

    Args:
      name: of the model.
      value: of the score; None for the model's own.
      who: asked for it, for the log.

    Raises:
      OSError: it cannot be stored; the old one then stays.
    """
    model = self.by_name[name]
    self._write_threshold(model, model.loaded, value, who)
    model.put(model.loaded, value)

  def retire(self) -> None:
    """Ends the queues as soon as they are empty."""
    for model in self:
      model.loaded.retire()
    self._opener.shutdown()

  def _note(self, model: Model, who: str, before: str | None) -> None:
    self._journal.write(
      'model',
      model=model.name,
      who=who,
      before=before,
      after=version_of(model.detector),
      folder=str(model.folder),
    )

  def _write_threshold(
    self, model: Model, loaded: Loaded, value: float | None, who: str
  ) -> None:
    self._thresholds.store(model.name, loaded.version, value)
    before = model.detector.require_calibration().threshold
    after = with_threshold(loaded.detector, value).require_calibration()
    self._journal.write(
      'threshold',
      model=model.name,
      who=who,
      before=before,
      after=after.threshold,
      set_by_service=value is not None,
    )

  def _forget_threshold(self, model: Model, loaded: Loaded, who: str) -> None:
    try:
      self._write_threshold(model, loaded, None, who)
    except OSError as error:  # The file names the old version: it is left out.
      self._journal.write('failure', model=model.name, error=str(error))

  def _restore_threshold(self, model: Model) -> None:
    value = self._thresholds.find(model.name, model.loaded.version)
    if value is not None:
      model.put(model.loaded, value)
      self._journal.write(
        'threshold',
        model=model.name,
        who='state',
        before=model.loaded.detector.require_calibration().threshold,
        after=value,
        set_by_service=True,
      )
    elif self._thresholds.has(model.name):
      self._journal.write(
        'threshold',
        model=model.name,
        who='state',
        error='The stored threshold belongs to another model and is left out.',
      )


def _try(detector: 'Detector') -> None:
  """Scores a grey image; raises what is raised then."""
  side = detector.preprocessor.size
  grey = np.full((side, side, 3), 128, np.uint8)
  try:
    prepared = detector.preprocessor.prepare(grey)
  except DataError:  # Its region of interest has the size of real images.
    return
  detector.score_prepared([prepared])

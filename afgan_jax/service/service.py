"""Joins what all requests share: models, limits, log, metrics and tokens."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from afgan_jax.service.errors import Refused
from afgan_jax.service.journal import Journal
from afgan_jax.service.limits import MEGABYTE, Budget, Limits
from afgan_jax.service.loaded import version_of
from afgan_jax.service.metrics import Metrics
from afgan_jax.service.models import Load, Model, Models, Opener
from afgan_jax.service.names import find_places
from afgan_jax.service.thresholds import Thresholds
from afgan_jax.service.work import Pools

_MOST_THREADS = 4


class Service:
  """The state of a service.

  Attributes:
    limits: see there.
    tokens: by their names; empty for none.
    journal: the log.
    metrics: counted.
    budget: of the memory for bodies and images.
    models: in service.
    is_stopping: whether no new images are taken.
  """

  def __init__(
    self,
    models: Sequence[str | os.PathLike[str]],
    load: Load,
    *,
    limits: Limits | None = None,
    tokens: Mapping[str, str] | None = None,
    state: pathlib.Path | None = None,
    journal: Journal | None = None,
  ):
    """Loads the models.

    Args:
      models: see `names.find_places`.
      load: loads the detector in a folder.
      limits: None for the default ones.
      tokens: by their names; None for none.
      state: folder for the thresholds that are set in the service; None to keep
        them in memory.
      journal: None for one on the standard error stream.

    Raises:
      UsageError: a model cannot be served, or the state not be read.
    """
    self.limits = limits or Limits()
    self.tokens = dict(tokens or {})
    self.journal = journal or Journal()
    self.metrics = Metrics()
    self.budget = Budget(self.limits.max_pending_megabytes * MEGABYTE)
    self.is_stopping = False
    places = find_places(models)
    thresholds = Thresholds(state)
    self._pools = Pools(min(os.cpu_count() or 1, _MOST_THREADS))
    opener = Opener(load, self.limits, self._pools, self.metrics)
    self.models = Models(places, opener, self.journal, thresholds)
    self.metrics.registry.register(_State(self))

  def model(self, name: str | None) -> Model:
    """Returns a model.

    Args:
      name: None for the first one.

    Raises:
      Refused: with 404, there is none of this name.
    """
    by_name = self.models.by_name
    if name is None:
      return next(iter(by_name.values()))
    if name not in by_name:
      raise Refused(
        404,
        f'There is no model {name[:64]!r}: use one of {", ".join(by_name)}.',
      )
    return by_name[name]

  def check_running(self) -> None:
    """Raises Refused with 503 if the service is about to stop."""
    if self.is_stopping:
      raise Refused(
        503,
        'The service is stopping: send the image to another one.',
        {'Retry-After': '5'},
      )

  def begin_stop(self) -> None:
    """Takes no more images from now on; those that it has are answered."""
    self.is_stopping = True

  def close(self) -> None:
    """Ends all threads."""
    self.begin_stop()
    self.models.retire()
    self._pools.shutdown()


class _State:
  """Gives what holds at the moment, when metrics are asked for."""

  def __init__(self, service: Service):
    self._service = service

  def collect(self) -> Iterator[Metric]:
    queue = GaugeMetricFamily(
      'afgan_queue_length', 'Images that wait to be scored.', labels=['model']
    )
    pending = GaugeMetricFamily(
      'afgan_pending_images',
      'Images that are decoded, wait or are scored.',
      labels=['model'],
    )
    threshold = GaugeMetricFamily(
      'afgan_threshold', 'The threshold of the score.', labels=['model']
    )
    problem = GaugeMetricFamily(
      'afgan_reload_failed',
      '1 if the newest model in the folder is not in service.',
      labels=['model'],
    )
    info = InfoMetricFamily('afgan_model', 'The models.', labels=['model'])
    for model in self._service.models:
      labels = [model.name]
      queue.add_metric(labels, model.loaded.waiting)
      pending.add_metric(labels, model.loaded.pending)
      calibration = model.detector.require_calibration()
      threshold.add_metric(labels, calibration.threshold)
      problem.add_metric(labels, bool(model.problem))
      info.add_metric(labels, {'version': version_of(model.detector)})
    memory = GaugeMetricFamily(
      'afgan_pending_bytes',
      'Memory of the bodies and images of requests.',
      self._service.budget.taken,
    )
    yield from (queue, pending, threshold, problem, info, memory)

  def describe(self) -> tuple[Metric, ...]:
    return ()

"""Counts requests, batches and verdicts for Prometheus."""

import bisect
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily, Metric

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
# Places of the scores' buckets: multiples of the calibration's scale from the
# threshold, where the probability of a defect is 0.5.
_STEPS = (-8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8, 16, 32)


class Metrics:
  """The metrics of a service.

  Attributes:
    registry: of all metrics.
  """

  def __init__(self) -> None:
    """Creates the metrics."""
    self.registry = CollectorRegistry()
    self._requests = Counter(
      'afgan_requests',
      'Requests by model, route and status.',
      ['model', 'route', 'status'],
      registry=self.registry,
    )
    self._seconds = Histogram(
      'afgan_request_seconds',
      'Time from a request to its answer, by model and route.',
      ['model', 'route'],
      buckets=_SECONDS,
      registry=self.registry,
    )
    self._batches = Histogram(
      'afgan_batch_size',
      'Images that were scored together.',
      ['model'],
      buckets=_SIZES,
      registry=self.registry,
    )
    self._batch_seconds = Histogram(
      'afgan_batch_seconds',
      'Time to score a batch.',
      ['model'],
      buckets=_SECONDS,
      registry=self.registry,
    )
    self._verdicts = Counter(
      'afgan_verdicts',
      'Images by verdict.',
      ['model', 'verdict'],
      registry=self.registry,
    )
    self._scores = _Scores()
    self.registry.register(self._scores)

  def count_request(
    self, model: str, route: str, status: int, seconds: float
  ) -> None:
    """Counts a request; `model` is '' for none or an unknown one."""
    self._requests.labels(model, route, str(status)).inc()
    self._seconds.labels(model, route).observe(seconds)

  def batches(self, model: str) -> Callable[[int, float], None]:
    """Returns a function that counts the size and seconds of a batch."""
    size = self._batches.labels(model)
    time = self._batch_seconds.labels(model)

    def count(images: int, seconds: float) -> None:
      size.observe(images)
      time.observe(seconds)

    return count

  def count_verdict(
    self, model: str, verdict: str, score: float, threshold: float, scale: float
  ) -> None:
    """Counts an image.

    Args:
      model: its name.
      verdict: 'good' or 'defective'.
      score: of the image.
      threshold: that counted.
      scale: of the calibration, for the buckets.
    """
    self._verdicts.labels(model, verdict).inc()
    self._scores.observe(model, score, threshold, scale)

  def gauge(
    self, name: str, text: str, labels: list[str] | None = None
  ) -> Gauge:
    """Creates a gauge."""
    return Gauge(name, text, labels or [], registry=self.registry)


class _Scores:
  """Histograms of scores, with buckets of their own for each model.

  They begin anew with the buckets if the thresholds of a model change.
  """

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._by_model: dict[str, tuple[list[float], list[int], list[float]]] = {}

  def observe(
    self, model: str, score: float, threshold: float, scale: float
  ) -> None:
    edges = [threshold + step * scale for step in _STEPS]
    with self._lock:
      found = self._by_model.get(model)
      if found is None or found[0] != edges:
        found = edges, [0] * (len(edges) + 1), [0.0]
        self._by_model[model] = found
      found[1][bisect.bisect_left(edges, score)] += 1
      found[2][0] += score

  def collect(self) -> Iterator[Metric]:
    family = HistogramMetricFamily(
      'afgan_score',
      'Scores of images; the bucket up to the threshold has the good ones.',
      labels=['model'],
    )
    with self._lock:
      for model, (edges, counts, total) in self._by_model.items():
        names = [*map(repr, edges), '+Inf']
        sums = itertools.accumulate(counts)
        buckets = list(zip(names, sums, strict=True))
        family.add_metric([model], buckets, total[0])
    yield family

  def describe(self) -> Iterable[Metric]:
    return ()

"""Scores squares by the model and by the trivial baselines."""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.detector import Detector
from afgan_jax.jobs.own_probes import MODEL
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.metrics.image_scores import image_scores
from afgan_jax.metrics.synthetic import SCORE, Scored
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.rows import ImageArray


class Scorer:
  """Scores images by the model and by the trivial baselines."""

  def __init__(self, detector: Detector, train_images: ImageArray):
    """Keeps what scores depend on.

    Args:
      detector: the model.
      train_images: uint8 [n, size, size, 3], for the baselines.
    """
    self._detector, self._train_images = detector, train_images

  def squares(
    self, pixels: np.ndarray, regions: np.ndarray | None
  ) -> dict[str, Scored]:
    """Scores squares.

    Args:
      pixels: [n, size, size, 3].
      regions: of interest; None for none.
    """
    results = self._detector.score(pixels, regions)
    others = image_scores(self._detector.config, results)
    return self._join(results['score'], results['map'], others, pixels)

  def by_tiles(
    self, pixels: np.ndarray, scores: Mapping[str, np.ndarray]
  ) -> dict[str, Scored]:
    """Returns scores that tiles have given, without maps.

    Args:
      pixels: squares of the whole images, for the baselines.
      scores: of the images, 'score' and others by name.
    """
    others = dict(scores)
    return self._join(others.pop('score'), None, others, pixels)

  def _join(
    self,
    score: np.ndarray,
    maps: np.ndarray | None,
    others: Mapping[str, np.ndarray],
    pixels: np.ndarray,
  ) -> dict[str, Scored]:
    """Joins the scores of the model and of the baselines."""
    config, images = self._detector.config, to_bytes(pixels)
    return {
      MODEL: (score, maps),
      **{SCORE + name: (values, None) for name, values in others.items()},
      # The baselines compare uint8 images.
      **_baselines(config, self._train_images, images),
    }


def _baselines(
  config: ConfigDict, train_images: ImageArray, images: np.ndarray
) -> dict[str, Scored]:
  """Returns the scores and maps of the trivial baselines."""
  scores = baseline_scores(train_images, images)
  maps = dict(baseline_maps(train_images, images, config.score.smoothing))
  names = dict.fromkeys([*scores, *maps])
  return {name: (scores.get(name), maps.get(name)) for name in names}

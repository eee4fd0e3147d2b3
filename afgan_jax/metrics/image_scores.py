"""Computes all image scores that `config.score.image` can select."""

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.image import image_metrics


def image_scores(
  config: ConfigDict, results: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Computes each image score that `config.score.image` can select.

  Args:
    config: see `configs/default.py`.
    results: see `Detector.score`, of n images.

  Returns:
    Scores [n] by name; 'paper' only if `results` has it.
  """
  values = results['map'].reshape(len(results['map']), -1)
  count = min(config.score.top_k, values.shape[1])
  largest = np.partition(values, -count, axis=1)[:, -count:]
  scores = {'max': largest.max(axis=1), 'top_k': largest.mean(axis=1)}
  return {n: results[n] for n in ('paper',) if n in results} | scores


def aurocs_by_score(
  config: ConfigDict, labels: np.ndarray, results: dict[str, np.ndarray]
) -> dict[str, float | None]:
  """Computes the image AUROC of each score of `image_scores`.

  Args:
    config: see `configs/default.py`.
    labels: 0 for a good image, 1 for a defective one, [n].
    results: see `Detector.score`, of these images.

  Returns:
    Image AUROC by name of the score; None if undefined.
  """
  return {
    name: image_metrics(labels, scores)['image_auroc']
    for name, scores in image_scores(config, results).items()
  }

"""Compares the scores of a trained run in bfloat16 with those in float32.

  PYTHONPATH=. python benchmarks/precision.py WORKDIR

The run's own test images are scored twice with the same weights.
"""

import pathlib
import sys

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from afgan_jax import cpu_runtime
from afgan_jax.detection.scorer import score_images
from afgan_jax.training.checkpoints import restore
from datasets import load


def main() -> None:
  """Prints for each result how far the two are apart."""
  cpu_runtime.prepare()
  config, state = restore(pathlib.Path(sys.argv[1]))
  test = load.load_test(config)
  results = {}
  for dtype in ('float32', 'bfloat16'):
    config.dtype = dtype
    results[dtype] = score_images(config, state, test.images)
  for name in ('score', 'reconstruction_error', 'latent_error'):
    exact, rounded = (results[d][name].astype(float) for d in results)
    change = np.abs(rounded / exact - 1)
    print(
      f'{name}: changes by {change.mean():.2%}, at most {change.max():.2%}; '
      f'Spearman {stats.spearmanr(exact, rounded).statistic:.5f}'
    )
  exact, rounded = (results[d]['map'] for d in results)
  print(f'map: changes by {np.abs(rounded - exact).mean() / exact.mean():.2%}')
  for dtype, result in results.items():
    auroc = roc_auc_score(test.labels, result['score'])
    print(f'image AUROC in {dtype}: {auroc:.4f}')


if __name__ == '__main__':
  main()

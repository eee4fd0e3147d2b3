"""Measures the error of scoring in bfloat16 instead of float32.

  PYTHONPATH=. python benchmarks/precision.py WORKDIR

The run's own test images are scored twice with the same weights: in float32, as
the program does, and with both networks computed in bfloat16.
"""

import pathlib
import sys

import jax
import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from afgan_jax.checkpoints.store import restore
from afgan_jax.methods.afgan.score import reconstruct
from afgan_jax.methods.losses import reconstruction_error
from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.ops.pixels import to_float
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import UsageError
from datasets import load


def main() -> None:
  """Prints the differences of the scores and of their AUROC."""
  if len(sys.argv) != 2:
    sys.exit('Give the workdir of a trained run.')
  cpu_runtime.prepare()
  try:
    config, state = restore(pathlib.Path(sys.argv[1]))
  except UsageError as error:
    sys.exit(str(error))
  test = load.load_test(config)
  image = to_float(test.images)
  results = {}
  for dtype in ('float32', 'bfloat16'):
    config.dtype = dtype
    results[dtype] = jax.device_get(
      _score(config, state.scoring_variables, image)
    )
  for name in results['float32']:
    exact, rounded = (results[d][name].astype(float) for d in results)
    change = np.abs(rounded / exact - 1)
    aurocs = [roc_auc_score(test.labels, values) for values in (exact, rounded)]
    print(
      f'{name}: changes by {change.mean():.2%}, at most {change.max():.2%}; '
      f'Spearman {stats.spearmanr(exact, rounded).statistic:.5f}; image AUROC '
      f'{aurocs[0]:.4f} and {aurocs[1]:.4f}'
    )


def _score(config, variables, image):
  """Returns the score of eq 13 and its terms."""
  generator = build_generator(config)
  discriminator = build_discriminator(config)

  @jax.jit
  def score(variables, image):
    fake, terms = reconstruct(generator, discriminator, variables, image)
    reconstruction = reconstruction_error(image, fake)
    latent = terms['latent_error']
    gamma = config.score.gamma
    return {
      'score': gamma * reconstruction + (1 - gamma) * latent,
      'reconstruction error': reconstruction,
      'latent error': latent,
    }

  return score(variables, image)


if __name__ == '__main__':
  main()

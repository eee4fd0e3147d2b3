"""Evaluates a run of any method by the protocol of published code.

  PYTHONPATH=. python benchmarks/released_protocol.py WORKDIR

Published code of GANomaly and of Skip-GANomaly leaves batch norms in training
mode when it scores, takes the test images sorted by class, and reports the
epoch with the best AUC on the test set. An image's score then depends on its
neighbours, which are of its class. Reads all kept checkpoints, e.g. of a run
with `--config.checkpoint.max_to_keep=100`, and prints for each mode of the
norms the image AUROC of the method's own score for the last checkpoint and for
the best one:

- inference mode;
- training mode in batches of one image, in which batch norm is instance norm;
- training mode in shuffled batches of 64;
- training mode in batches of 64 sorted by class.

Only the last checkpoint in inference mode is a valid result; the others show
how much published results may gain from their protocol.
"""

import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict
from sklearn.metrics import roc_auc_score

from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.devices import replicated
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import TrainState
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load

BATCH = 64  # Of the published code.
Score = Callable[[TrainState, np.ndarray], np.ndarray]


def main() -> None:
  """Prints the table."""
  if len(sys.argv) != 2:
    sys.exit('Give the workdir of a trained run.')
  cpu_runtime.prepare()
  try:
    config, states = read_states(pathlib.Path(sys.argv[1]))
    test = load.load_test(config)
    config.score.image = 'paper'
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  if test is None or len(set(test.labels)) < 2:
    sys.exit('The test set needs good and defective images.')
  print(f'{config.method}, image AUROC of its score; {len(states)} checkpoints')
  print(f'{"norms":<34}{"last":>8}{"best":>8}')
  for name, score in make_protocols(config, test.labels, test.defect_types):
    aurocs = [
      roc_auc_score(test.labels, score(state, test.pixels)) for state in states
    ]
    print(f'{name:<34}{aurocs[-1]:>8.3f}{max(aurocs):>8.3f}')


def read_states(workdir: pathlib.Path) -> tuple[ConfigDict, list[TrainState]]:
  """Reads the config and the states of all kept checkpoints, oldest first."""
  if not latest_step(workdir):
    raise UsageError(f'{workdir} holds no checkpoint.')
  states = []
  with Checkpoints(workdir) as checkpoints:
    for checkpoint in checkpoints.each():
      config = checkpoint.read_config()
      states.append(checkpoint.read_variables(config, replicated()))
  return config, states


def make_protocols(
  config: ConfigDict, labels: np.ndarray, defect_types: Sequence[str]
) -> Iterator[tuple[str, Score]]:
  """Builds the functions that score images by each protocol.

  Args:
    config: of the run.
    labels: of the test images, 1 if defective.
    defect_types: of the test images.

  Yields:
    Names and functions from a state and pixels to scores.
  """
  by_class = np.lexsort((defect_types, labels))
  shuffled = np.random.default_rng(0).permutation(len(labels))
  for name, train, order, size in (
    ('inference mode', False, by_class, BATCH),
    ('training mode, one image', True, by_class, 1),
    ('training mode, shuffled', True, shuffled, BATCH),
    ('training mode, sorted by class', True, by_class, BATCH),
  ):
    yield name, _make_score(config, order, size, train=train)


def _make_score(
  config: ConfigDict, order: np.ndarray, size: int, *, train: bool
) -> Score:
  method = build_method(config)

  @jax.jit
  def score_batch(variables, pixels: jax.Array) -> jax.Array:
    with nn.intercept_methods(normalize) if train else nullcontext():
      return method.score(variables, pixels)['score']

  def score(state: TrainState, pixels: np.ndarray) -> np.ndarray:
    scores = np.empty(len(pixels))
    for start in range(0, len(pixels), size):
      part = order[start : start + size]
      scores[part] = score_batch(state.scoring_variables, pixels[part])
    return scores

  return score


def normalize(call, args, kwargs, context):
  """Calls a layer, but a batch norm with the statistics of the batch."""
  layer = context.module
  if not isinstance(layer, nn.BatchNorm) or context.method_name != '__call__':
    return call(*args, **kwargs)
  (x,) = args
  axes = tuple(range(x.ndim - 1))
  params = layer.variables['params']
  centred = x - jnp.mean(x, axis=axes)
  scale = jax.lax.rsqrt(jnp.mean(centred**2, axis=axes) + layer.epsilon)
  return centred * scale * params['scale'] + params['bias']


if __name__ == '__main__':
  main()

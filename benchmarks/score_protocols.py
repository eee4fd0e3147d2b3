"""Evaluates the terms of eq 13, and a run by the protocol of published code.

  PYTHONPATH=. python benchmarks/score_protocols.py WORKDIR

Reads all kept checkpoints of a run, e.g. trained with
`--config.checkpoint.max_to_keep=100`, and its test images. Prints two tables:

- for the last checkpoint, each term of the score: its image AUROC, and the
  share of its variance among the good images that is explained by their
  brightness, noise and edges (R² of a linear fit);
- image AUROC of eq 13 with L1, and with squares as in Skip-GANomaly's code, by
  the mode of the norms: inference mode; inference mode with statistics of the
  good training images, recomputed with the final weights (Wu & Johnson 2021,
  §3); training mode in batches of one class; training mode in shuffled batches.
  `best` is the AUROC of the best checkpoint, which published code selects with
  the test labels. Only the last checkpoint in inference mode is a valid result;
  the others show how much published results may gain from their protocol.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from afgan_jax.methods.losses import latent_error, reconstruction_error
from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.ops.filters import gradient_magnitude, smooth_map
from afgan_jax.ops.pixels import to_float
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from benchmarks.released_protocol import read_states
from datasets import load

BATCH = 64  # Of the published code.
_MAX_IMAGES = 256  # Training images for recomputed statistics.
_SIGMA = 1 / 64  # Of the image's side, as `config.score.smoothing`.


def main() -> None:
  """Prints both tables."""
  if len(sys.argv) != 2:
    sys.exit('Give the workdir of a trained run.')
  cpu_runtime.prepare()
  try:
    config, states = read_states(pathlib.Path(sys.argv[1]))
    states = [state.scoring_variables for state in states]
    train, _ = load.load_train(config)
    test = load.load_test(config)
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  images = np.asarray(to_float(test.pixels.astype(np.float32)))
  score = _make_score(config)
  last = score(states[-1], images, np.arange(len(images)), train=False)
  _print_parts(last, images, test.labels)
  recompute = _make_recompute(config, to_float(train.images[:_MAX_IMAGES]))
  recomputed = [recompute(state) for state in states]
  _print_protocols(score, states, recomputed, images, test)


def _make_score(config):
  """Returns a function that scores images in batches, norms in either mode."""
  generator = build_generator(config)
  discriminator = build_discriminator(config)

  def apply(network, variables, x, train):
    if not train:
      return network.apply(variables, x, train=False)
    return network.apply(variables, x, train=True, mutable=['batch_stats'])[0]

  def parts(variables, x, train):
    fake = apply(generator, variables['generator'], x, train)
    latents = [
      apply(discriminator, variables['discriminator'], image, train)[1]
      for image in (x, fake)
    ]
    residual = abs(x - fake).mean(axis=-1)
    smoothed = smooth_map(residual, sigma=_SIGMA)
    return {
      'L1': reconstruction_error(x, fake),
      'squares': ((x - fake) ** 2).mean(axis=(1, 2, 3)),
      'latent': latent_error(*latents),
      'largest smoothed residual': smoothed.max(axis=(1, 2)),
    }

  compiled = jax.jit(parts, static_argnums=2)

  def score(variables, images, order, train):
    batches = [
      compiled(variables, images[order[i : i + BATCH]], train)
      for i in range(0, len(order), BATCH)
    ]
    result = {name: np.empty(len(order)) for name in batches[0]}
    for name, values in result.items():
      values[order] = np.concatenate([np.asarray(b[name]) for b in batches])
    return result | {
      f'0.9 {name} + 0.1 latent': 0.9 * result[name] + 0.1 * result['latent']
      for name in ('L1', 'squares')
    }

  return score


def _make_recompute(config, images):
  """Returns a function that recomputes norm statistics on good images."""
  exact = config.copy_and_resolve_references()
  exact.norm.momentum = 0.0  # Discards the old statistics.
  networks = build_generator(exact), build_discriminator(exact)

  def statistics(network, variables, x):
    result, changed = network.apply(
      variables, x, train=True, mutable=['batch_stats']
    )
    return result, variables | changed

  @jax.jit
  def recompute(variables, images):
    fake, generator = statistics(networks[0], variables['generator'], images)
    # In scoring, the discriminator gets both.
    both = jnp.concatenate([images, fake])
    _, discriminator = statistics(networks[1], variables['discriminator'], both)
    return {'generator': generator, 'discriminator': discriminator}

  return lambda variables: recompute(variables, images)


def _print_parts(scores, images, labels) -> None:
  good = labels == 0
  grey = images.mean(axis=-1)
  smooth = np.asarray(smooth_map(grey, sigma=_SIGMA))
  causes = {
    'brightness': grey.mean(axis=(1, 2)),
    'grain': (grey - smooth).std(axis=(1, 2)),
    'edges': np.asarray(gradient_magnitude(smooth)).mean(axis=(1, 2)),
  }

  def explained(names, score) -> float:
    x = np.stack([causes[name][good] for name in names], axis=1)
    return LinearRegression().fit(x, score[good]).score(x, score[good])

  print(f'| | image AUROC | {" | ".join(causes)} | all three |')
  print('| --- | --- |' + ' --- |' * (len(causes) + 1))
  for name, score in scores.items():
    cells = [f'{roc_auc_score(labels, score):.3f}']
    cells += [f'{explained([cause], score):.2f}' for cause in causes]
    cells.append(f'{explained(list(causes), score):.2f}')
    print(f'| {name} | {" | ".join(cells)} |')
  for name, values in causes.items():
    print(f'| {name} alone | {roc_auc_score(labels, values):.3f} |')
  print()


def _print_protocols(score, states, recomputed, images, test) -> None:
  rng = np.random.default_rng(0)
  by_class = np.lexsort(
    (np.arange(len(images)), test.defect_types, test.labels)
  )
  modes = {
    'inference mode': (states, np.arange(len(images)), False),
    '– statistics of good training images': (
      recomputed,
      np.arange(len(images)),
      False,
    ),
    'training mode, one class a batch': (states, by_class, True),
    'training mode, shuffled': (states, rng.permutation(len(images)), True),
  }
  names = ('0.9 L1 + 0.1 latent', '0.9 squares + 0.1 latent')
  print('| | ' + ' | '.join(f'{n}, last | best' for n in names) + ' |')
  print('| --- |' + ' --- |' * 2 * len(names))
  for mode, (states, order, train) in modes.items():
    cells = []
    scores = [score(state, images, order, train) for state in states]
    for name in names:
      aurocs = [roc_auc_score(test.labels, s[name]) for s in scores]
      cells += [f'{aurocs[-1]:.3f}', f'{max(aurocs):.3f}']
    print(f'| {mode} | {" | ".join(cells)} |')
  print(f'\n{len(states)} checkpoints, {len(images)} test images.')


if __name__ == '__main__':
  main()

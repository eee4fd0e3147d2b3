"""Draws the panel of images that training logs to TensorBoard."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.augment.sampler import build_augmentation
from afgan_jax.methods.registry import build_score
from afgan_jax.methods.state import TrainState
from afgan_jax.ops.pixels import from_float, to_bytes, to_float
from afgan_jax.preprocessing.rows import ImageArray

NUM_ROWS = 4


def make_panel(
  config: ConfigDict, images: ImageArray
) -> Callable[[TrainState], np.ndarray]:
  """Builds the function that draws the panel.

  Args:
    config: see `configs/default.py`.
    images: the training set, uint8 [n, size, size, 3].

  Returns:
    A function from the state to uint8 [rows · size, columns · size, 3]: for a
    few training images the image, or a tile of it, its augmentation, the
    reconstruction of that and the absolute residual (eq 15) if the method has
    reconstructions, and the anomaly map, white at its largest value.
  """
  config = config.copy_and_resolve_references()
  border = (config.image_size - config.tile_size) // 2
  inner = slice(border, border + config.tile_size)
  config.image_size = config.tile_size  # The method sees one tile.
  score = build_score(config)
  augment = build_augmentation(config)
  rows = images[:NUM_ROWS][:, inner, inner]
  keys = jax.random.split(jax.random.key(config.seed), len(rows))

  @jax.jit
  def draw(variables, clean: jax.Array) -> jax.Array:
    clean = to_float(clean)
    augmented, _ = jax.vmap(augment)(keys, clean, jnp.roll(clean, 1, axis=0))
    scores = score(variables, from_float(augmented))
    columns = [clean, augmented]
    if 'reconstruction' in scores:
      reconstruction = to_float(scores['reconstruction'])
      columns += [reconstruction, jnp.abs(augmented - reconstruction) - 1]
    values = scores['map'][..., None]
    grey = 2 * values / jnp.maximum(values.max(), 1e-12) - 1
    columns.append(jnp.broadcast_to(grey, clean.shape))
    panel = jnp.concatenate(columns, axis=2)
    return to_bytes(panel.reshape(-1, *panel.shape[2:]))

  return lambda state: np.asarray(draw(state.scoring_variables, rows))

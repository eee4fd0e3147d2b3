"""The panel of pictures that training shows in TensorBoard."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.augment.sampler import build_augmentation
from afgan_jax.config.derived import has_segmentation_head
from afgan_jax.methods.state import GanState
from afgan_jax.networks.build import (
  build_generator,
  build_segmentation_head,
)
from afgan_jax.ops.pixels import to_bytes, to_float

NUM_ROWS = 4


def make_panel(
  config: ConfigDict, images: np.ndarray
) -> Callable[[GanState], np.ndarray]:
  """Builds what draws the panel.

  Args:
    config: see `configs/default.py`.
    images: the training set, uint8 [n, size, size, 3].

  Returns:
    A function from the state to uint8 [rows · size, columns · size, 3]: for a
    few training images the image, or a tile of it, its augmentation, the
    reconstruction of that, the absolute residual (eq 15) and, if there is a
    segmentation head, its map.
  """
  generator = build_generator(config)
  head = build_segmentation_head(config)
  augment = build_augmentation(config)
  border = (config.image_size - config.tile_size) // 2
  inner = slice(border, border + config.tile_size)
  rows = images[:NUM_ROWS, inner, inner]
  keys = jax.random.split(jax.random.key(config.seed), len(rows))

  @jax.jit
  def draw(variables, clean: jax.Array) -> jax.Array:
    clean = to_float(clean)
    augmented, _ = jax.vmap(augment)(keys, clean, jnp.roll(clean, 1, axis=0))
    reconstruction = generator.apply(
      variables['generator'], augmented, train=False
    )
    residual = jnp.abs(augmented - reconstruction) - 1
    columns = [clean, augmented, reconstruction, residual]
    if has_segmentation_head(config):
      logits = head.apply(
        variables['segmentation'], augmented, reconstruction, train=False
      )
      grey = 2 * jax.nn.sigmoid(logits) - 1
      columns.append(jnp.broadcast_to(grey[..., None], clean.shape))
    panel = jnp.concatenate(columns, axis=2)
    panel = panel.reshape(-1, *panel.shape[2:])
    return to_bytes(panel)

  return lambda state: np.asarray(draw(state.variables, rows))

"""Initializes the state of AFGAN's networks."""

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head
from afgan_jax.methods.state import (
  TrainState,
  create_network,
  create_train_state,
)
from afgan_jax.methods.update import build_optimizer
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.initialize import initialize


def create_state(config: ConfigDict) -> TrainState:
  """Initializes the training state from `config.seed`.

  Args:
    config: see `configs/default.py`.

  Returns:
    The state at step 0 with the networks 'generator', 'discriminator' and, if
    there is a segmentation head, 'segmentation'.
  """
  keys = jax.random.split(jax.random.key(config.seed))
  optimizer = build_optimizer(config)
  averaged = config.optimizer.average > 0
  size = config.tile_size
  networks = {
    'generator': create_network(
      initialize(build_generator(config), size, keys[0]),
      optimizer,
      averaged=averaged,
    ),
    # No EMA: it is trained against the newest generator.
    'discriminator': create_network(
      initialize(build_discriminator(config), size, keys[1]), optimizer
    ),
  }
  if has_segmentation_head(config):
    networks['segmentation'] = create_network(
      initialize(
        build_segmentation_head(config),
        size,
        jax.random.fold_in(keys[0], 1),
        num_images=2,
      ),
      optimizer,
      averaged=averaged,
    )
  return create_train_state(**networks)

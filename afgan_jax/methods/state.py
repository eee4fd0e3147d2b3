"""Everything that training changes, as one pytree."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.initialize import initialize


class NetworkState(flax.struct.PyTreeNode):
  """One network in training.

  Attributes:
    params: its weights, float32.
    batch_stats: running means and variances of its norms.
    opt_state: of its optimizer; None where only scoring is wanted.
    average: running average of both of the above, as Flax's `apply` takes it;
      None where none is kept.
  """

  params: Any = None
  batch_stats: Any = None
  opt_state: optax.OptState | None = None
  average: dict[str, Any] | None = None

  @property
  def variables(self) -> dict[str, Any]:
    """What Flax's `apply` takes."""
    return {'params': self.params, 'batch_stats': self.batch_stats}

  def scoring_part(self) -> dict[str, Any]:
    """Returns the attributes that score: the average, or else the weights."""
    if self.average is not None:
      return {'average': self.average}
    return self.variables

  @property
  def scoring_variables(self) -> dict[str, Any]:
    """What scores, as Flax's `apply` takes it."""
    return self.variables if self.average is None else self.average


class GanState(flax.struct.PyTreeNode):
  """The whole of training at one moment.

  Attributes:
    step: number of updates made, a scalar int32. All randomness and the order
      of the images derive from it and the seed, so nothing else is needed to
      go on as if never stopped.
    generator: state of the generator.
    discriminator: state of the discriminator.
    segmentation: state of the segmentation head; None where there is none.
  """

  step: jax.Array
  generator: NetworkState
  discriminator: NetworkState
  segmentation: NetworkState | None = None

  @property
  def networks(self) -> dict[str, NetworkState]:
    """The networks that there are, by name."""
    networks = {
      'generator': self.generator,
      'discriminator': self.discriminator,
      'segmentation': self.segmentation,
    }
    return {name: each for name, each in networks.items() if each is not None}

  @property
  def variables(self) -> dict[str, Any]:
    """What scoring takes: the variables of each network by its name."""
    return {
      name: network.scoring_variables for name, network in self.networks.items()
    }

  def scoring_part(self) -> dict[str, Any]:
    """Returns the attributes that score, those of the networks by name."""
    parts = {name: each.scoring_part() for name, each in self.networks.items()}
    return {'step': self.step, **parts}


def build_optimizer(config: ConfigDict) -> optax.GradientTransformation:
  """Builds Adam as in §4.2; one state of it per network."""
  optimizer = config.optimizer
  rate = optimizer.learning_rate
  decay_steps = optimizer.decay_steps
  if decay_steps:
    rate = optax.cosine_decay_schedule(rate, decay_steps)
  return optax.adam(rate, b1=optimizer.beta1, b2=optimizer.beta2)


def create_state(config: ConfigDict) -> GanState:
  """Draws the initial state from `config.seed`.

  Args:
    config: see `configs/default.py`.

  Returns:
    The state at step 0.
  """
  keys = jax.random.split(jax.random.key(config.seed))
  optimizer = build_optimizer(config)

  def create(
    network: nn.Module, key: jax.Array, *, averaged: bool, num_images: int = 1
  ) -> NetworkState:
    variables = initialize(
      network, config.tile_size, key, num_images=num_images
    )
    return NetworkState(
      **variables,
      opt_state=optimizer.init(variables['params']),
      average=variables if averaged else None,
    )

  averaged = config.optimizer.average > 0
  state = GanState(
    step=jnp.zeros((), jnp.int32),
    generator=create(build_generator(config), keys[0], averaged=averaged),
    # Only its own game with the newest generator makes sense of it.
    discriminator=create(build_discriminator(config), keys[1], averaged=False),
  )
  if not has_segmentation_head(config):
    return state
  return state.replace(
    segmentation=create(
      build_segmentation_head(config),
      jax.random.fold_in(keys[0], 1),
      averaged=averaged,
      num_images=2,
    )
  )


def reset_discriminator(config: ConfigDict, state: GanState) -> NetworkState:
  """Draws the discriminator anew, as at the start, with other weights.

  Args:
    config: see `configs/default.py`.
    state: at the step whose number decides which weights are drawn.

  Returns:
    Its new state: weights, running statistics and Adam's moments of step 0; a
    learning rate that falls goes on from where it is.
  """
  _, key = jax.random.split(jax.random.key(config.seed))
  variables = initialize(
    build_discriminator(config),
    config.tile_size,
    jax.random.fold_in(key, 1 + state.step),
  )
  adam, *rest = state.discriminator.opt_state
  fresh = jax.tree.map(jnp.zeros_like, adam)
  return state.discriminator.replace(**variables, opt_state=(fresh, *rest))

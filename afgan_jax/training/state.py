"""Everything that training changes, as one pytree."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.networks.initialize import initialize


class NetworkState(flax.struct.PyTreeNode):
  """One network in training.

  Attributes:
    params: its weights, float32.
    batch_stats: running means and variances of its norms.
    opt_state: of its optimizer; None where only scoring is wanted.
  """

  params: Any
  batch_stats: Any
  opt_state: optax.OptState | None = None

  @property
  def variables(self) -> dict[str, Any]:
    """What Flax's `apply` takes."""
    return {'params': self.params, 'batch_stats': self.batch_stats}


class GanState(flax.struct.PyTreeNode):
  """The whole of training at one moment.

  Attributes:
    step: number of updates made, a scalar int32. All randomness and the order
      of the images derive from it and the seed, so nothing else is needed to
      go on as if never stopped.
    generator: state of the generator.
    discriminator: state of the discriminator.
  """

  step: jax.Array
  generator: NetworkState
  discriminator: NetworkState

  @property
  def variables(self) -> dict[str, Any]:
    """What scoring takes: the variables of each network by its name."""
    return {
      'generator': self.generator.variables,
      'discriminator': self.discriminator.variables,
    }


def build_optimizer(config: ConfigDict) -> optax.GradientTransformation:
  """Builds Adam as in §4.2; one state of it per network."""
  optimizer = config.optimizer
  return optax.adam(
    optimizer.learning_rate, b1=optimizer.beta1, b2=optimizer.beta2
  )


def create_state(config: ConfigDict) -> GanState:
  """Draws the initial state from `config.seed`.

  Args:
    config: see `configs/default.py`.

  Returns:
    The state at step 0.
  """
  generator_key, discriminator_key = jax.random.split(
    jax.random.key(config.seed)
  )
  optimizer = build_optimizer(config)

  def create(network, key: jax.Array) -> NetworkState:
    variables = initialize(network, config.image_size, key)
    return NetworkState(
      params=variables['params'],
      batch_stats=variables['batch_stats'],
      opt_state=optimizer.init(variables['params']),
    )

  return GanState(
    step=jnp.zeros((), jnp.int32),
    generator=create(build_generator(config), generator_key),
    discriminator=create(build_discriminator(config), discriminator_key),
  )

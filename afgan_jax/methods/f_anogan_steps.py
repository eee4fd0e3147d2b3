"""Train steps of the two stages of f-AnoGAN."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.methods.adversary import generate
from afgan_jax.methods.base import Metrics
from afgan_jax.methods.noise import draw_share, step_key
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer
from afgan_jax.methods.wasserstein import critic_loss
from afgan_jax.networks.f_anogan import Networks, build_networks

Update = Callable[[jax.Array, NetworkState, Any, Any], NetworkState]
Step = Callable[[TrainState, jax.Array], tuple[TrainState, Metrics]]

# Losses of both stages; those of the other stage are 0.
_LOSSES = ('critic', 'generator', 'encoder', 'reconstruction', 'latent')


def build_optimizers(
  config: ConfigDict,
) -> dict[str, optax.GradientTransformation]:
  """Builds Adam for the GAN and RMSProp for the encoder.

  If learning rates decay, that of the encoder does so from its first update.

  Args:
    config: see `configs/compare/f_anogan.py`.

  Returns:
    Optimizers by network.
  """
  rate, decay_steps = config.encoder.learning_rate, config.optimizer.decay_steps
  if decay_steps:
    rate = optax.cosine_decay_schedule(rate, decay_steps)
  share = 1 / config.optimizer.discriminator_updates
  return {
    'generator': build_optimizer(config, share),
    'discriminator': build_optimizer(config),
    'encoder': optax.rmsprop(rate),
  }


def make_gan_step(
  config: ConfigDict, updates: dict[str, Update], axis_name: str | None
) -> Step:
  """Builds the step of stage 1: of the critic and, at times, the generator.

  Args:
    config: see `configs/compare/f_anogan.py`.
    updates: see `update.make_update`, by network.
    axis_name: mapped axis of the devices; None outside a map.

  Returns:
    A function from the state and defect-free images to the next state, but for
    its `step`, and losses.
  """
  networks = build_networks(config, axis_name)
  rate = _make_rate(networks)
  update_critic = _make_critic_update(config, rate, updates['discriminator'])
  update_generator = _make_generator_update(
    networks, rate, updates['generator']
  )
  period = config.optimizer.discriminator_updates

  def train_step(
    state: TrainState, real: jax.Array
  ) -> tuple[TrainState, Metrics]:
    step, generator = state.step, state.networks['generator']
    critic = state.networks['discriminator']
    latent, mix = _draw(config, step, len(real), axis_name)
    fake = generate(networks.generator, generator, latent).image

    critic, losses = update_critic(critic, real, fake, mix, step)
    generator = lax.cond(
      (step + 1) % period == 0,
      update_generator,
      lambda generator, *_: generator,
      *(generator, critic.params, latent, step),
    )
    state = state.update_networks(generator=generator, discriminator=critic)
    return state, losses

  return train_step


def _make_rate(networks: Networks) -> Callable[[Any, jax.Array], jax.Array]:
  """Builds the function from the critic's weights and images to rates."""

  def rate(params: Any, image: jax.Array) -> jax.Array:
    outputs, _ = networks.discriminator.apply(
      {'params': params}, image, train=True
    )
    return outputs[:, 0]

  return rate


def _make_critic_update(
  config: ConfigDict, rate: Callable, update: Update
) -> Callable:
  """Builds the update of the critic, which also returns both losses."""

  def update_critic(
    critic: NetworkState,
    real: jax.Array,
    fake: jax.Array,
    mix: jax.Array,
    step: jax.Array,
  ) -> tuple[NetworkState, Metrics]:
    def objective(params: Any) -> tuple[jax.Array, jax.Array]:
      weight = config.loss.gradient_penalty_weight
      return critic_loss(lambda x: rate(params, x), real, fake, mix, weight)

    (loss, generator_loss), grads = jax.value_and_grad(objective, has_aux=True)(
      critic.params
    )
    losses = _losses(critic=loss, generator=generator_loss)
    return update(step, critic, grads, {}), losses

  return update_critic


def _make_generator_update(
  networks: Networks, rate: Callable, update: Update
) -> Callable:
  """Builds the update of the generator, which increases the critic's rate."""

  def update_generator(
    generator: NetworkState, critic: Any, latent: jax.Array, step: jax.Array
  ) -> NetworkState:
    fake = generate(networks.generator, generator, latent)
    slope = jax.grad(lambda image: -jnp.mean(rate(critic, image)))(fake.image)
    (grads,) = fake.pullback(slope)
    return update(step, generator, grads, fake.batch_stats)

  return update_generator


def _draw(
  config: ConfigDict, step: jax.Array, share: int, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
  """Draws normal latent vectors, and uniform shares of generated images."""
  keys = jax.random.split(step_key(config, step))
  latent_features = config.generator.latent_features

  def draw_latent(key: jax.Array, count: int) -> jax.Array:
    return jax.random.normal(key, (count, latent_features))

  def draw_mix(key: jax.Array, count: int) -> jax.Array:
    return jax.random.uniform(key, (count,))

  return (
    draw_share(draw_latent, keys[0], share, axis_name),
    draw_share(draw_mix, keys[1], share, axis_name),
  )


def make_encoder_step(
  config: ConfigDict, update: Update, axis_name: str | None
) -> Step:
  """Builds the step of stage 2: of the encoder alone.

  Args:
    config: see `configs/compare/f_anogan.py`.
    update: see `update.make_update`.
    axis_name: mapped axis of the devices; None outside a map.

  Returns:
    See `make_gan_step`.
  """
  networks = build_networks(config, axis_name)

  def train_step(
    state: TrainState, image: jax.Array
  ) -> tuple[TrainState, Metrics]:
    encoder = state.networks['encoder']
    # As they score, frozen: with the EMA if there is one.
    frozen = state.scoring_variables

    def objective(params: Any) -> tuple[jax.Array, Any]:
      latent, stats = networks.encode(
        encoder.train_variables | {'params': params}, image, train=True
      )
      _, terms = networks.reconstruct(frozen, image, latent)
      return jnp.mean(weigh(config, terms)), (terms, stats)

    (loss, (terms, stats)), grads = jax.value_and_grad(objective, has_aux=True)(
      encoder.params
    )
    encoder = update(state.step, encoder, grads, stats)
    return state.update_networks(encoder=encoder), _losses(
      encoder=loss,
      reconstruction=jnp.mean(terms['reconstruction_error']),
      latent=jnp.mean(terms['latent_error']),
    )

  return train_step


def weigh(config: ConfigDict, terms: dict[str, jax.Array]) -> jax.Array:
  """Computes the encoder's loss of each image, which is also its score.

  Args:
    config: see `configs/compare/f_anogan.py`.
    terms: of `Networks.reconstruct`.

  Returns:
    [batch].
  """
  latent = config.loss.latent_weight * terms['latent_error']
  return terms['reconstruction_error'] + latent


def _losses(**losses: jax.Array) -> Metrics:
  return {name: losses.get(name, jnp.zeros(())) for name in _LOSSES}

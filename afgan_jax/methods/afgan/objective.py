"""Computes the objectives of the train step and their gradients (§3.3)."""

import dataclasses
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head
from afgan_jax.methods import losses
from afgan_jax.methods.adversary import discriminate
from afgan_jax.methods.base import Batch, Metrics
from afgan_jax.methods.state import NetworkState
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Generator
from afgan_jax.networks.segmentation import SegmentationHead


@dataclasses.dataclass(frozen=True)
class Networks:
  """Holds the modules to train; `segmentation` is None without a head."""

  generator: Generator
  discriminator: Discriminator
  segmentation: SegmentationHead | None

  @classmethod
  def build(cls, config: ConfigDict, axis_name: str | None) -> 'Networks':
    """Builds the modules for training.

    Args:
      config: see `configs/default.py`.
      axis_name: mapped axis over which norm statistics are averaged; None
        outside a map.
    """
    head = has_segmentation_head(config)
    return cls(
      build_generator(config, axis_name),
      build_discriminator(config, axis_name),
      build_segmentation_head(config, axis_name) if head else None,
    )


def generator_gradient(
  config: ConfigDict,
  networks: Networks,
  head: NetworkState | None,
  adversary: NetworkState | None,
  batch: Batch,
  fake: jax.Array,
) -> tuple[Metrics, jax.Array, Any, Any]:
  """Differentiates the generator's loss (eq 12).

  It does so with respect to the reconstructions, through which alone the
  generator's weights act on the loss, and to the head's weights.

  Args:
    config: see `configs/default.py`.
    networks: the modules.
    head: state of the segmentation head; None without a head.
    adversary: state of the discriminator; None if it is not trained.
    batch: see `base.Batch`.
    fake: reconstructions of `batch['input']`.

  Returns:
    The loss, 'generator', with its terms; the gradients with respect to `fake`
    and to the head's weights; and the head's next running statistics.
  """
  differentiate = jax.value_and_grad(
    _generator_objective, argnums=(0, 1), has_aux=True
  )
  (total, (terms, stats)), (fake_grad, head_grads) = differentiate(
    fake,
    head and head.params,
    head and head.batch_stats,
    batch,
    networks,
    adversary,
    config,
  )
  return {'generator': total} | terms, fake_grad, head_grads, stats


def _generator_objective(
  fake: jax.Array,
  head_params: Any,
  head_stats: Any,
  batch: Batch,
  networks: Networks,
  adversary: NetworkState | None,
  config: ConfigDict,
) -> tuple[jax.Array, tuple[Metrics, Any]]:
  """Returns the weighted sum of eq 12, its terms and the head's statistics.

  Terms of weight 0 are left out, except the paper's: the reconstruction loss is
  always there, and both adversarial terms are if the discriminator is trained.
  """
  real = batch['image']
  terms = {'reconstruction': losses.reconstruction_error(real, fake).mean()}
  if adversary:
    terms |= _adversarial_terms(networks.discriminator, adversary, real, fake)
  if config.loss.ssim_weight:
    terms['ssim'] = losses.ssim_error(real, fake).mean()
  if networks.segmentation:
    logits, changed = networks.segmentation.apply(
      {'params': head_params, 'batch_stats': head_stats},
      batch['input'],
      fake,
      train=True,
      mutable='batch_stats',
    )
    head_stats = changed.get('batch_stats', {})
    terms['segmentation'] = losses.segmentation_loss(
      logits, batch['mask'], focus=config.segmentation.focus
    )
  total = sum(config.loss[f'{name}_weight'] * terms[name] for name in terms)
  return total, (terms, head_stats)


def _adversarial_terms(
  discriminator: Discriminator,
  adversary: NetworkState,
  real: jax.Array,
  fake: jax.Array,
) -> Metrics:
  """Returns the generator's adversarial loss and the latent loss (eq 11)."""
  variables = adversary.params, adversary.batch_stats
  _, real_latent, _ = discriminate(discriminator, *variables, real)
  fake_logit, fake_latent, _ = discriminate(discriminator, *variables, fake)
  return {
    'adversarial': losses.adversarial_loss(fake_logit),
    'latent': losses.latent_error(real_latent, fake_latent).mean(),
  }

"""Builds AFGAN's networks from a configuration."""

import functools

import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.config.derived import (
  num_head_levels,
  num_levels,
  sees_high_pass,
)
from afgan_jax.networks.aff import AttentionFeatureFusion
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Concatenation, Generator
from afgan_jax.networks.layers import GroupNorm, batch_norm, level_features
from afgan_jax.networks.segmentation import SegmentationHead
from afgan_jax.networks.unet import UNet


def build_generator(
  config: ConfigDict, axis_name: str | None = None
) -> Generator:
  """Builds the generator.

  Args:
    config: see `configs/default.py`.
    axis_name: mapped axis over which batch norms average their statistics in
      training; not used in inference.

  Returns:
    The Flax module.
  """
  dtype = jnp.dtype(config.dtype)
  fusions = {
    'aff': functools.partial(
      AttentionFeatureFusion,
      reduction=config.generator.aff_reduction,
      gate=config.generator.aff_gate,
      scale=config.generator.aff_scale,
      dtype=dtype,
    ),
    'concat': lambda norm, name: Concatenation(name=name),
    'none': None,
  }
  return Generator(
    features=level_features(
      config.generator.base_features,
      config.generator.max_features,
      num_levels(config),
    ),
    norm=_norm(config, axis_name, config.norm.kind),
    fusion=fusions[config.generator.fusion],
    fusion_norm=_norm(config, axis_name, config.generator.aff_norm),
    dtype=dtype,
    cutoff=config.generator.cutoff if sees_high_pass(config) else None,
  )


def build_unet(config: ConfigDict, axis_name: str | None = None) -> UNet:
  """Builds the U-Net; arguments as in `build_generator`."""
  return UNet(
    features=level_features(
      config.generator.base_features,
      config.generator.max_features,
      num_levels(config),
    ),
    norm=batch_norm(config.dtype, axis_name),
    dtype=jnp.dtype(config.dtype),
  )


def build_discriminator(
  config: ConfigDict, axis_name: str | None = None
) -> Discriminator:
  """Builds the discriminator; arguments as in `build_generator`."""
  return Discriminator(
    features=level_features(
      config.discriminator.base_features,
      config.discriminator.max_features,
      num_levels(config) - 2,
    ),
    latent_features=config.discriminator.latent_features,
    norm=_norm(config, axis_name, config.discriminator.norm),
    dtype=jnp.dtype(config.dtype),
  )


def build_segmentation_head(
  config: ConfigDict, axis_name: str | None = None
) -> SegmentationHead:
  """Builds the segmentation head; arguments as in `build_generator`."""
  return SegmentationHead(
    features=level_features(
      config.segmentation.base_features,
      config.segmentation.max_features,
      num_head_levels(config),
    ),
    norm=_norm(config, axis_name, config.norm.kind),
    convolutions=config.segmentation.convolutions,
    dtype=jnp.dtype(config.dtype),
  )


def _norm(config: ConfigDict, axis_name: str | None, kind: str):
  """Returns a constructor of norms of a kind."""
  dtype = jnp.dtype(config.dtype)
  if kind == 'group':
    return functools.partial(
      GroupNorm,
      group_size=config.norm.group_size,
      epsilon=config.norm.epsilon,
      dtype=dtype,
    )
  return batch_norm(
    dtype,
    axis_name,
    momentum=config.norm.momentum,
    epsilon=config.norm.epsilon,
  )

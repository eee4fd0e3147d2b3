"""Checks that groups divide the features of every group norm."""

import math

from ml_collections import ConfigDict

from afgan_jax.config.derived import (
  has_segmentation_head,
  num_head_levels,
  num_levels,
  trains_discriminator,
)
from afgan_jax.system.errors import UsageError


def check_group_sizes(config: ConfigDict) -> None:
  """Checks the features of every group norm.

  For new runs only, and therefore not part of `check_config`: stored runs may
  rely on smaller groups, see `networks.layers.GroupNorm`. Methods other than
  AFGAN have no group norms.

  Args:
    config: that `check_config` accepts.

  Raises:
    UsageError: a layer's features cannot be divided into such groups.
  """
  if config.method != 'afgan':
    return
  size, norms = config.norm.group_size, _group_norm_features(config)
  common = math.gcd(*(x for features in norms.values() for x in features))
  fitting = math.gcd(size, common)
  fitting = fitting if fitting > 1 else common
  for place, features in norms.items():
    for number in features:
      if number % size:
        remedy = (
          f'set it to {fitting}'
          if fitting > 1
          else 'no size fits all group norms, so change the numbers of features'
        )
        raise UsageError(
          f'config.norm.group_size is {size}: it must divide {number}, the '
          f'number of features of a group norm in {place}; {remedy}.'
        )


def _group_norm_features(config: ConfigDict) -> dict[str, list[int]]:
  """Returns the numbers of features of all group norms by their place."""
  # The innermost level has no fusion, and a norm only with two convolutions.
  generator = _level_features(config.generator, num_levels(config))[:-1]
  norms = {}
  if config.norm.kind == 'group':
    norms['the generator'] = generator
    if has_segmentation_head(config):
      head = config.segmentation
      levels = num_head_levels(config) - (head.convolutions == 1)
      norms['the segmentation head'] = _level_features(head, levels)
  if config.generator.aff_norm == 'group' and config.generator.fusion == 'aff':
    norms["the generator's fusions"] = generator
    reduction = config.generator.aff_reduction
    norms[
      "a bottleneck of the generator's fusions (config.generator.aff_reduction)"
    ] = [max(features // reduction, 1) for features in generator]
  if config.discriminator.norm == 'group' and trains_discriminator(config):
    # The first level has no norm.
    levels = num_levels(config) - 2
    features = _level_features(config.discriminator, levels)
    norms['the discriminator'] = features[1:]
  return norms


def _level_features(network: ConfigDict, num_levels: int) -> list[int]:
  # As `networks.layers.level_features`, which imports JAX.
  return [
    min(network.base_features * 2**level, network.max_features)
    for level in range(num_levels)
  ]

"""Scores images by the mean anomaly map of several trained runs."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.methods.base import Method, Scores, TrainStep
from afgan_jax.methods.maps import reduce_map
from afgan_jax.methods.state import (
  NetworkState,
  TrainState,
  create_train_state,
)
from afgan_jax.ops.pixels import average_squares
from afgan_jax.system.errors import UsageError


class Ensemble:
  """Scores by several methods of the same kind, with weights of their own.

  Each sees the same squares, in its own image size, one after the other in one
  program, so that memory for activations is that of one. See `base.Method`.
  """

  def __init__(
    self,
    config: ConfigDict,
    methods: Sequence[Method],
    sizes: Sequence[int] = (),
  ):
    """Stores the methods.

    Args:
      config: of the ensemble, see `config.members`.
      methods: of its members, in their order.
      sizes: image size of each, which divides that of the ensemble; empty for
        that.
    """
    self._config = config
    self._methods = tuple(methods)
    self._sizes = tuple(sizes) or (config.image_size,) * len(self._methods)

  def init(self) -> TrainState:
    """Initializes the state of all members, of which scoring needs a part."""
    states = [method.init() for method in self._methods]
    return create_train_state(**join_networks(states))

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Raises UsageError: only the members are trained."""
    raise UsageError('An ensemble is not trained: train its members.')

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by the means over members; see `base.Method`.

    A score that is computed from the map is that of the mean map.
    """
    results = []
    for index, (method, size) in enumerate(
      zip(self._methods, self._sizes, strict=True)
    ):
      factor = self._config.image_size // size
      found = method.score(_select(variables, index), _reduce(pixels, factor))
      results.append({n: _enlarge(x, factor) for n, x in found.items()})
    scores = average_scores(results)
    if self._config.score.image == 'paper':
      return scores
    return {**scores, 'score': reduce_map(self._config, scores['map'])}

  def train_flops(self) -> int:
    """Returns 0: an ensemble is not trained."""
    return 0

  def score_flops(self) -> int:
    """Counts the operations of scoring one image with all members."""
    return sum(method.score_flops() for method in self._methods)

  def collapse_remedy(self) -> str:
    """Suggests nothing: the members were trained."""
    return ''


def join_networks(states: Sequence[TrainState]) -> dict[str, NetworkState]:
  """Joins the networks of several states.

  Args:
    states: of the members of an ensemble, in their order.

  Returns:
    The networks by name, such as 'generator_0'.
  """
  return {
    f'{name}_{index}': network
    for index, state in enumerate(states)
    for name, network in state.networks.items()
  }


def take_networks(
  networks: Mapping[str, NetworkState], indices: Sequence[int]
) -> dict[str, NetworkState]:
  """Takes the networks of some members.

  Args:
    networks: of an ensemble, from `join_networks`.
    indices: of the members.

  Returns:
    Their networks by name, numbered anew from 0.
  """
  return {
    f'{name}_{number}': network
    for number, index in enumerate(indices)
    for name, network in _select(networks, index).items()
  }


def average_scores(results: Sequence[Scores]) -> Scores:
  """Averages the scores of several members.

  Args:
    results: of the same images, see `base.Scores`.

  Returns:
    The means of what all members have; of reconstructions rounded to uint8.
  """
  names = [name for name in results[0] if all(name in r for r in results)]
  return {name: _mean([r[name] for r in results]) for name in names}


def _mean(values: Sequence[jax.Array]) -> jax.Array:
  # `jnp.mean` of stacked values would hold all of them, and `jnp.stack` cannot
  # be exported.
  total = functools.reduce(jnp.add, (x.astype(jnp.float32) for x in values))
  mean = total / len(values)
  if values[0].dtype == jnp.uint8:
    return jnp.round(mean).astype(jnp.uint8)
  return mean


def _reduce(pixels: jax.Array, factor: int) -> jax.Array:
  """Reduces images to the size of a member."""
  if factor == 1:
    return pixels
  return average_squares(pixels.astype(jnp.float32), factor)


def _enlarge(values: jax.Array, factor: int) -> jax.Array:
  """Interpolates maps or images bilinearly; other values remain."""
  if factor == 1 or values.ndim == 1:
    return values
  batch, height, width, *channels = values.shape
  shape = (batch, height * factor, width * factor, *channels)
  found = jax.image.resize(values.astype(jnp.float32), shape, 'linear')
  if values.dtype == jnp.uint8:
    return jnp.round(found).astype(jnp.uint8)
  return found


def _select(variables: Any, index: int) -> Any:
  """Returns what belongs to one member by the names that it gave it."""
  parts = {name: name.rpartition('_') for name in variables}
  return {
    own: variables[name]
    for name, (own, _, number) in parts.items()
    if number == str(index)
  }

"""Builds methods by name."""

import importlib
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.members import is_ensemble, list_members
from afgan_jax.methods.base import Method, Scores
from afgan_jax.methods.ensemble import Ensemble
from afgan_jax.methods.maps import leave_out_margin
from afgan_jax.system.errors import UsageError

# Module and class, imported on use. The names are those of
# `config.schema.METHODS`; `config.method` may also hold such a path.
METHODS = {
  'afgan': 'afgan_jax.methods.afgan.method:AFGAN',
  'dagan': 'afgan_jax.methods.dagan:DAGAN',
  'skip_ganomaly': 'afgan_jax.methods.skip_ganomaly:SkipGANomaly',
  'dual_attention_gan': (
    'afgan_jax.methods.dual_attention_gan:DualAttentionGAN'
  ),
  'ganomaly': 'afgan_jax.methods.ganomaly:GANomaly',
  'anogan': 'afgan_jax.methods.anogan:AnoGAN',
  'f_anogan': 'afgan_jax.methods.f_anogan:FAnoGAN',
  'cbigan': 'afgan_jax.methods.cbigan:CBiGAN',
}


def build_method(config: ConfigDict) -> Method:
  """Builds the method of `config.method`, or an ensemble of such.

  Args:
    config: see `configs/default.py`.

  Returns:
    The method.

  Raises:
    UsageError: if there is no such class.
  """
  if is_ensemble(config):
    members = list_members(config)
    methods = [build_method(member.config) for member in members]
    sizes = [member.image_size for member in members]
    return Ensemble(config, methods, sizes)
  path = METHODS.get(config.method, config.method)
  module, _, name = path.partition(':')
  try:
    method = getattr(importlib.import_module(module), name)
  except (ImportError, AttributeError) as error:
    raise UsageError(
      f'config.method is {config.method!r}: there is no such class ({error}).'
    ) from error
  return method(config)


def build_score(
  config: ConfigDict,
) -> Callable[[Any, jax.Array], Scores]:
  """Builds the scoring of `config.method`, without `config.score.margin`.

  The margin is left out here, so that each method has it.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function of variables and pixels, see `Method.score`.
  """
  score = build_method(config).score
  return lambda *inputs: leave_out_margin(config, score(*inputs))

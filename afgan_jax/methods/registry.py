"""Methods by the name that `config.method` gives them."""

import importlib

from ml_collections import ConfigDict

from afgan_jax.methods.base import Method

# Module and class, imported when they are asked for.
METHODS = {'afgan': 'afgan_jax.methods.afgan.method:AFGAN'}


def build_method(config: ConfigDict) -> Method:
  """Builds the method that `config.method` names."""
  module, _, name = METHODS[config.method].partition(':')
  return getattr(importlib.import_module(module), name)(config)

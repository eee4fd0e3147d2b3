"""Methods by the name that `config.method` gives them."""

import importlib

from ml_collections import ConfigDict

from afgan_jax.methods.base import Method
from afgan_jax.system.errors import UsageError

# Module and class, imported when they are asked for; the names are those of
# `config.schema.METHODS`. `config.method` may also hold such a path itself.
METHODS = {'afgan': 'afgan_jax.methods.afgan.method:AFGAN'}


def build_method(config: ConfigDict) -> Method:
  """Builds the method that `config.method` names.

  Args:
    config: see `configs/default.py`.

  Returns:
    The method.

  Raises:
    UsageError: there is no such class.
  """
  path = METHODS.get(config.method, config.method)
  module, _, name = path.partition(':')
  try:
    method = getattr(importlib.import_module(module), name)
  except (ImportError, AttributeError) as error:
    raise UsageError(
      f'config.method is {config.method!r}: there is no such class ({error}).'
    ) from error
  return method(config)

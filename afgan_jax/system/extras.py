"""Explains which optional packages a function needs."""

import contextlib
from collections.abc import Iterator

from afgan_jax.system.errors import UsageError


@contextlib.contextmanager
def needed(purpose: str, extra: str) -> Iterator[None]:
  """Turns a missing package into a sentence that says how to install it.

  Args:
    purpose: subject of the sentence, such as 'Training'.
    extra: the optional dependencies that hold the package, see pyproject.toml.

  Raises:
    UsageError: in place of ModuleNotFoundError.
  """
  try:
    yield
  except ModuleNotFoundError as error:
    if (error.name or '').partition('.')[0] == 'afgan_jax':
      raise
    raise UsageError(
      f'{purpose} needs the package {error.name}: pip install '
      f"'afgan-jax[{extra}]'."
    ) from error

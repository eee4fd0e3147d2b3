"""AFGAN in JAX: finds defects on industrial images, trained on good ones only.

The public classes are `Detector`, which loads a trained run and scores images,
and `Prediction`, its verdict on one image.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from afgan_jax.detector import Detector, Prediction

__version__ = '0.1.0'
__all__ = ['Detector', 'Prediction', '__version__']


def __getattr__(name: str) -> Any:
  """Imports a public class on first use, since JAX takes a second to import."""
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  from afgan_jax import detector

  return getattr(detector, name)


def __dir__() -> list[str]:
  """Lists the public names, whether they are imported yet or not."""
  return sorted(__all__)

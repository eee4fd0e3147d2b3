"""AFGAN-JAX: finds defects on industrial images after good samples alone."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from afgan_jax.detector import Detector, Prediction

__version__ = '0.1.0'
__all__ = ['Detector', 'Prediction', '__version__']


def __getattr__(name: str) -> Any:
  """Imports the detector, and with it JAX, when it is asked for."""
  if name in ('Detector', 'Prediction'):
    return getattr(importlib.import_module('afgan_jax.detector'), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

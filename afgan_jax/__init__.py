"""AFGAN in JAX: find defects on industrial images from good samples alone."""

__version__ = '0.1.0'

"""Exports trained detectors to folders that need no JAX."""

from afgan_jax.jobs.export.job import export

__all__ = ['export']

"""Predicts unlabelled images: a list of files, or what appears in a folder."""

from afgan_jax.jobs.predict.job import predict
from afgan_jax.jobs.predict.watch import require_folder, watch

__all__ = ['predict', 'require_folder', 'watch']

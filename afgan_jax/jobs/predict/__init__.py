"""Predicts unlabelled images: a list of files, or what appears in a folder."""

from afgan_jax.jobs.predict.cluster import Cluster
from afgan_jax.jobs.predict.job import predict
from afgan_jax.jobs.predict.merge import merge
from afgan_jax.jobs.predict.shard import Shard
from afgan_jax.jobs.predict.watch import require_folder, watch

__all__ = ['Cluster', 'Shard', 'merge', 'predict', 'require_folder', 'watch']

"""Imports what main.py does sooner or later, as if TensorFlow were missing."""

import importlib
import sys

for _name in ('tensorflow', 'tensorflow_datasets'):
  sys.modules[_name] = None
for _name in (
  'matplotlib.figure',
  'orbax.checkpoint',
  'scipy.stats',
  'sklearn.metrics',
  'afgan_jax.benchmark.run',
  'afgan_jax.cli.commands',
  'afgan_jax.cli.main',
  'afgan_jax.jobs.calibrate',
  'afgan_jax.jobs.train',
  'afgan_jax.jobs.predict',
  'afgan_jax.study.run',
  'afgan_jax.training.loop',
  'datasets.inspection',
  'datasets.load',
):
  importlib.import_module(_name)

"""Runs the AFGAN command line on the data sets of this checkout.

`afgan_jax` does not import `datasets`; this file connects the two.
"""

import importlib
import pathlib

from ml_collections import ConfigDict

from afgan_jax.cli import main


def _load_data():
  return importlib.import_module('datasets.load')


def _inspect(config: ConfigDict, folder: pathlib.Path) -> str:
  from datasets.inspection import inspect

  return inspect(config, folder)


if __name__ == '__main__':
  main.run(_load_data, _inspect)

"""A run that trains in a second, on image files of noise."""

import contextlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from afgan_jax.checkpoints import store
from afgan_jax.cli import commands
from afgan_jax.training import programs
from datasets import load
from tests.support.tiny import tiny_config

METHOD = 'tests.support.mean_image:MeanImage'


@contextlib.contextmanager
def method_allowed():
  """Lets runs of the tests' own method be restored without a config."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(store, 'METHODS', (*store.METHODS, METHOD))
    yield


def write_images(folder: pathlib.Path, seed: int, count: int, spread: int = 20):
  """Writes images of noise around grey, named 00.png and so on."""
  rng = np.random.default_rng(seed)
  folder.mkdir(parents=True, exist_ok=True)
  for i in range(count):
    pixels = rng.integers(128 - spread, 128 + spread, (16, 16, 3))
    path = folder / f'{i:02d}.png'
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_data(root: pathlib.Path) -> pathlib.Path:
  """Writes a data set: 20 good images, and 6 good and 3 bad ones for tests."""
  write_images(root / 'train' / 'good', 0, 20)
  write_images(root / 'test' / 'good', 1, 6)
  write_images(root / 'test' / 'loud', 2, 3, spread=120)
  return root


def quick_config(data: pathlib.Path, **fields):
  """Returns the config of a run that holds out 8 of its 20 good images."""
  return tiny_config(
    **{
      'method': METHOD,
      'data.source': 'folder',
      'data.path': str(data),
      'calibration.fraction': 0.4,
      'score.image': 'max',
      **fields,
    }
  )


def random_run(root: pathlib.Path, name: str, seed: int, **fields):
  """Saves a run of random weights that trained on `root / 'data'`."""
  config = quick_config(
    root / 'data', **{'seed': seed, 'calibration.seed': 0, **fields}
  )
  state = programs.create_state(config)
  draw = np.random.default_rng(seed).random
  state = state.replace(
    step=jnp.int32(6),
    networks=jax.tree.map(lambda x: np.float32(draw(x.shape)), state.networks),
  )
  with store.Checkpoints(root / name) as checkpoints:
    checkpoints.save(state, config)
  return root / name


def train_quickly(root: pathlib.Path, **fields) -> pathlib.Path:
  """Writes a data set and trains on it; returns the workdir."""
  config = quick_config(write_data(root / 'data'), **fields)
  commands.train(config, root / 'run', load)
  return root / 'run'

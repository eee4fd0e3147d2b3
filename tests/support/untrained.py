"""A run whose networks were initialised and saved, but not trained."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.detector import Detector
from afgan_jax.metrics import calibration_file
from afgan_jax.training import programs
from tests.support.tiny import tiny_config


def untrained_run(folder: pathlib.Path, **fields) -> pathlib.Path:
  """Saves a run of random weights, calibrated on images of noise.

  Args:
    folder: workdir to be made.
    **fields: of the config, see `tiny_config`.

  Returns:
    The workdir.
  """
  config = tiny_config(
    **{'calibration.fraction': 0.5, 'score.batch_size': 2, **fields}
  )
  state = programs.create_state(config)
  rng = np.random.default_rng(0)
  # Running statistics other than their defaults, as after training.
  networks = {
    name: network.replace(
      batch_stats=jax.tree.map(
        lambda x: np.float32(rng.uniform(0.5, 1.5, x.shape)),
        network.batch_stats,
      )
    )
    for name, network in state.networks.items()
  }
  state = state.replace(step=jnp.int32(3), networks=networks)
  with Checkpoints(folder) as checkpoints:
    checkpoints.save(state, config)
  noise = rng.integers(0, 256, (6, config.image_size, config.image_size, 3))
  detector = Detector.from_state(config, state).calibrate(
    noise.astype(np.float16)
  )
  calibration = dataclasses.replace(detector.calibration, requested=True)
  calibration_file.save(folder, calibration)
  return folder

"""Maps a method's functions over devices for training."""

from collections.abc import Callable

from ml_collections import ConfigDict

from afgan_jax import devices as device_mapping
from afgan_jax.augment.sampler import make_sampler
from afgan_jax.devices import AXIS, Devices
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import TrainState


def create_state(config: ConfigDict, devices: Devices = None) -> TrainState:
  """Initializes the training state on every device."""
  return device_mapping.create_replicated(build_method(config).init, devices)


def map_train_step(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps the train step for batches made on the host; see `map_update`."""
  return device_mapping.map_update(
    build_method(config).train_step(AXIS), devices
  )


def map_sampler(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps the sampler of batches; see `devices.map_sampler`."""
  return device_mapping.map_sampler(_sampler(config, devices), devices)


def map_sampled_steps(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps several train steps and the sampler of their batches.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    See `devices.map_sampled_updates`.
  """
  return device_mapping.map_sampled_updates(
    build_method(config).train_step(AXIS), _sampler(config, devices), devices
  )


def _sampler(config: ConfigDict, devices: Devices) -> Callable:
  return make_sampler(config, device_mapping.count(devices))

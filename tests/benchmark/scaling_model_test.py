"""The model of scaling counts what the program of a step reduces."""

import math
import pathlib
import re

import jax
import numpy as np
import pytest

from afgan_jax import devices
from afgan_jax.methods.registry import build_method
from afgan_jax.training import programs
from benchmarks import scaling_model
from configs import default
from tests.support.tiny import tiny_config

ROOT = pathlib.Path(__file__).parents[2]


def reduced(config):
  """Returns the sizes of the all-reduces in the program of a step."""
  # Shapes suffice: nothing is computed.
  state = jax.eval_shape(build_method(config).init)
  images = (devices.count(), config.batch_size // devices.count())
  images += (config.image_size,) * 2
  image = jax.ShapeDtypeStruct((*images, 3), np.float32)
  mask = jax.ShapeDtypeStruct(images, bool)
  batch = {'image': image, 'input': image, 'mask': mask}
  text = programs.map_train_step(config).lower(state, batch).as_text()
  sizes = []
  for operands in re.findall(
    r'all_reduce.*?\}\).*?:\s*\((.*?)\)\s*->', text, re.DOTALL
  ):
    for shape in re.findall(r'tensor<([^>]*)>', operands):
      sizes.append(math.prod(map(int, shape.split('x')[:-1])))
  return sizes


@pytest.mark.training
@pytest.mark.parametrize('fields', [{}, {'norm.kind': 'group'}])
def test_values_are_those_that_the_program_reduces(fields):
  assert devices.count() > 1
  fields = {'norm.group_size': 4, 'image_size': 16, **fields}
  config = tiny_config(**fields)
  sizes = reduced(config)
  counted = scaling_model.count(config)
  assert sum(sizes) * 4 == counted.num_bytes
  state = jax.eval_shape(build_method(config).init)
  arrays = sum(
    len(jax.tree.leaves(network.params)) for network in state.networks.values()
  )
  assert len(sizes) == arrays + counted.calls + counted.losses


def test_gradients_are_the_weights_of_the_networks_at_full_size():
  config = default.get_config()
  counted = scaling_model.count(config)
  state = jax.eval_shape(build_method(config).init)
  assert counted.gradients == sum(state.count_parameters().values())
  # Of the discriminator by hand: 4×4 kernels, scale and bias of norms.
  features = [3, 64, 128, 256, 512, 512, 512]
  kernels = sum(
    16 * a * b for a, b in zip(features, features[1:], strict=False)
  )
  assert state.count_parameters()['discriminator'] >= kernels


def test_the_page_has_the_tables_of_the_script(capsys):
  scaling_model.main()
  page = (ROOT / 'docs' / 'scaling.md').read_text(encoding='utf-8')
  rows = [x for x in capsys.readouterr().out.splitlines() if x[:1] == '|']
  assert len(rows) > 40
  for row in rows:
    assert row in page


def test_a_ring_of_two_devices_sends_all_bytes_once():
  counted = scaling_model.Reductions(1000, 0, 0, 0)
  seconds, waiting = scaling_model.communication(counted, 2)
  rate = scaling_model.NVLINK * scaling_model.REACHED
  np.testing.assert_allclose(seconds, 4000 / rate)
  assert waiting == 0
  assert scaling_model.communication(counted, 1) == (0, 0)


def test_without_communication_time_is_divided():
  nothing = scaling_model.Reductions(0, 0, 0, 0)
  seconds = scaling_model.step_seconds(0.04, nothing, 8, scaling_model.BATCH)
  np.testing.assert_allclose(seconds, 0.005)

"""Workdirs of versions whose state had an attribute for each network."""

import json
from typing import Any

import flax.struct
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from afgan_jax.checkpoints.store import restore
from afgan_jax.config.store import flatten
from afgan_jax.methods.afgan.init import create_state
from afgan_jax.training import loop
from tests.support.saved import saved_state
from tests.support.tiny import tiny_config

# Fields that came after these workdirs.
LATER = ('method', 'optimizer.first', 'discriminator.reset_below')
FIELDS = {'generator.fusion': 'none', 'loss.discriminator_latent_weight': 0.0}


class NetworkState(flax.struct.PyTreeNode):
  params: Any = None
  batch_stats: Any = None
  opt_state: Any = None
  average: Any = None


class GanState(flax.struct.PyTreeNode):
  step: Any
  generator: NetworkState
  discriminator: NetworkState
  segmentation: NetworkState | None = None


@pytest.fixture(
  scope='module',
  params=[False, pytest.param(True, marks=pytest.mark.training)],
  ids=['plain', 'head'],
)
def old_run(request, tmp_path_factory):
  """A workdir as it was written then, and the state in it."""
  fields = FIELDS | (
    {'loss.segmentation_weight': 1.0, 'optimizer.average': 0.9}
    if request.param
    else {}
  )
  config = tiny_config(**fields)
  state = jax.jit(lambda: create_state(config))()
  state = state.replace(step=state.step + 2)
  networks = {
    name: NetworkState(
      each.params, each.batch_stats, each.opt_state, each.average
    )
    for name, each in state.networks.items()
  }
  stored = config.to_dict()
  for name in LATER:
    *groups, field = name.split('.')
    node = stored
    for group in groups:
      node = node[group]
    del node[field]
  workdir = tmp_path_factory.mktemp('old')
  with ocp.CheckpointManager(workdir / 'checkpoints') as manager:
    manager.save(
      2,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(GanState(state.step, **networks)),
        config=ocp.args.JsonSave({'format_version': 1, 'config': stored}),
      ),
    )
  return workdir, config, jax.device_get(state)


def _assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, *jax.device_get((a, b)))


def test_all_of_the_state_is_read(old_run):
  workdir, _, state = old_run
  _assert_equal(saved_state(workdir), state)


def test_what_scores_is_read_and_the_config_is_brought_up_to_date(old_run):
  workdir, config, state = old_run
  restored_config, restored = restore(workdir)
  _assert_equal(restored.scoring_variables, state.scoring_variables)
  assert flatten(restored_config) == flatten(config)


@pytest.mark.training
def test_training_continues_from_it(old_run):
  workdir, config, _ = old_run
  images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
  config = config.copy_and_resolve_references()
  config.num_epochs = 2
  assert int(loop.train(config, workdir, images, None).step) == 4
  lines = (workdir / 'config.json').read_text()
  assert json.loads(lines)['method'] == 'afgan'

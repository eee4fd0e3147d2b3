import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afgan_jax.augment.probe import KINDS
from afgan_jax.checkpoints.store import restore
from afgan_jax.cli import commands as modes
from afgan_jax.jobs.validate import NUM_IMAGES, make_probes
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.score import score_images
from tests.support.tiny import tiny_config

FIELDS = {
  'calibration.fraction': 0.2,
  'num_epochs': 1,
  'data.procedural.num_train': 10,
}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Trains without a look at the test set."""
  workdir = tmp_path_factory.mktemp('blind')
  modes.train(tiny_config(**FIELDS), workdir, load, blind=True)
  return workdir


def test_blind_training_leaves_the_test_set_unread(run):
  assert (run / 'validation.json').exists()
  assert (run / 'calibration.json').exists()
  assert not (run / 'metrics.json').exists()


def test_figures_are_those_of_scikit_learn(run):
  figures = json.loads((run / 'validation.json').read_text())
  config, state = restore(run)
  train, held_out = load.load_train(config)
  assert figures['counts']['held_out'] == len(held_out) == 2
  good = score_images(config, state, held_out.pixels)
  aurocs, brightness = [], []
  for kind, images, masks, _ in make_probes(held_out.pixels):
    defective = score_images(config, state, images)
    labels = [0] * len(good['score']) + [1] * len(images)
    scores = np.concatenate([good['score'], defective['score']])
    aurocs.append(roc_auc_score(labels, scores))
    found = figures['by_kind'][kind]
    assert found['image_auroc'] == pytest.approx(aurocs[-1])
    truth = np.concatenate([np.zeros_like(good['map'], bool), masks])
    maps = np.concatenate([good['map'], defective['map']])
    assert found['pixel_auroc'] == pytest.approx(
      roc_auc_score(truth.ravel(), maps.ravel()), abs=1e-6
    )
    means = [
      to_bytes(x).mean(axis=(1, 2, 3)) for x in (held_out.pixels, images)
    ]
    brightness.append(roc_auc_score(labels, np.concatenate(means)))
  assert figures['image_auroc'] == pytest.approx(np.mean(aurocs))
  assert figures['baselines']['brightness'] == pytest.approx(
    np.mean(brightness)
  )


@pytest.mark.training
def test_probes_are_the_same_each_time_and_small_and_marked():
  # At 16 px the smallest are smaller than a pixel, and left out.
  _, held_out = load.load_train(tiny_config(**FIELDS, image_size=32))
  first, second = (list(make_probes(held_out.pixels)) for _ in range(2))
  assert [probes.kind for probes in first] == list(KINDS)
  for probes, again in zip(first, second, strict=True):
    defective, masks = probes.pixels, probes.masks
    np.testing.assert_array_equal(defective, again.pixels)
    assert NUM_IMAGES / 4 < len(defective) <= NUM_IMAGES
    assert masks.any(axis=(1, 2)).all()
    assert masks.mean() < 0.3
    # What is not marked is that of one of the two images, but for a little.
    change = [np.abs(defective.astype(float) - x) for x in held_out.pixels]
    change = [c.max(axis=-1) for c in change]
    outside = np.min([(c * ~masks).max(axis=(1, 2)) for c in change], axis=0)
    assert outside.max() < 0.04 * 2 * np.pi * 127.5 * 1.1


def test_without_held_out_images_nothing_is_trained(tmp_path):
  config = tiny_config()
  with pytest.raises(UsageError, match='config.calibration.fraction'):
    modes.train(config, tmp_path / 'run', load, blind=True)
  assert not (tmp_path / 'run').exists()

"""On real images, where a checkout has them beside it."""

import pathlib

import pytest

from afgan_jax.metrics.baselines import baseline_scores
from afgan_jax.metrics.image import image_metrics
from configs import default
from datasets import load

PATH = pathlib.Path(__file__).parents[2] / 'shared' / 'data' / 'mvtec_ad'

pytestmark = pytest.mark.skipif(
  not PATH.is_dir(), reason='there are no real images beside this checkout'
)


def test_brightness_alone_separates_the_screws():
  config = default.get_config()
  config.image_size = 64
  config.data.source = 'mvtec_ad'
  config.data.path = str(PATH)
  config.data.category = 'screw'
  train, held_out = load.load_train(config)
  test = load.load_test(config)
  assert (len(train), len(held_out)) == (288, 32)
  assert (test.labels == 0).sum() == 41 and test.labels.sum() == 119
  assert test.has_mask.all()
  assert all(test.masks[i].any() == test.labels[i] for i in range(len(test)))

  scores = baseline_scores(train.images, test.images)
  auroc = image_metrics(test.labels, scores['brightness'])['image_auroc']
  assert auroc > 0.995

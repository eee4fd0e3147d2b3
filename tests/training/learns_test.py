"""Training learns: the one test that trains for more than a few steps."""

import numpy as np

from afgan_jax.jobs.train import train
from configs import demo
from datasets import load


def test_a_short_demo_tells_defects_from_good_parts(tmp_path):
  config = demo.get_config()
  config.update_from_flattened_dict(
    {
      'image_size': 32,
      'num_steps': 300,
      'generator.base_features': 8,
      'generator.max_features': 32,
      'discriminator.max_features': 32,
      'data.procedural.num_train': 64,
      'data.procedural.num_test_good': 16,
      'data.procedural.num_test_per_defect': 6,
      'log.panel_every_epochs': 0,
    }
  )
  evaluation = train(config, tmp_path, load).evaluation
  _, errors = evaluation.history['reconstruction']
  assert np.mean(errors[-3:]) < 0.5 * errors[0]
  # 16 good and 30 defective images: chance reaches 0.7 once in a hundred runs.
  assert evaluation.metrics['image_auroc'] > 0.7
  assert evaluation.metrics['pixel_auroc'] > 0.7
  assert evaluation.metrics['training']['collapsed'] is None

"""Training learns: the one test that trains for more than a few steps.

It takes a minute, so `make test` leaves it out; `make test-training` runs it.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from afgan_jax.tracking.history import read_history

ROOT = pathlib.Path(__file__).parents[2]
FIELDS = {
  'image_size': 32,
  'num_steps': 200,
  'generator.base_features': 8,
  'generator.max_features': 32,
  'discriminator.max_features': 32,
  'data.procedural.num_train': 64,
  'data.procedural.num_test_good': 16,
  'data.procedural.num_test_per_defect': 6,
  'log.panel_every_epochs': 0,
}


@pytest.mark.training
def test_a_short_demo_tells_defects_from_good_parts(tmp_path):
  # As a user runs it, not with the suite's XLA_FLAGS: programs that compile
  # soon are many times slower.
  environment = os.environ.copy()
  environment.pop('XLA_FLAGS')
  flags = [f'--config.{name}={value}' for name, value in FIELDS.items()]
  done = subprocess.run(
    [sys.executable, 'main.py', '--config=configs/demo.py', *flags]
    + [f'--workdir={tmp_path}'],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  _, errors = read_history(tmp_path)['reconstruction']
  assert np.mean(errors[-3:]) < 0.5 * errors[0]
  metrics = json.loads((tmp_path / 'metrics.json').read_text())
  # 16 good and 30 defective images: chance reaches 0.7 once in a hundred runs.
  assert metrics['image_auroc'] > 0.7
  assert metrics['pixel_auroc'] > 0.7
  assert metrics['training']['collapsed'] is None

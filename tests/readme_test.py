"""Runs the Python examples of README.md."""

import doctest
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from afgan_jax.checkpoints import store
from afgan_jax.jobs.train import train
from datasets import load
from tests.support.tiny import tiny_config

README = pathlib.Path(__file__).parents[1] / 'README.md'


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A working directory with the run and the image that the examples name."""
  method = 'tests.support.mean_image:MeanImage'  # Compiles in a second.
  monkeypatch.setattr(store, 'METHODS', (*store.METHODS, method))
  config = tiny_config(
    **{
      'method': method,
      'score.image': 'max',
      'calibration.fraction': 0.25,
    }
  )
  train(config, tmp_path / 'runs' / 'demo', load)
  pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / 'image.png')
  monkeypatch.chdir(tmp_path)


def test_python_examples_print_what_they_say(folder):
  text = README.read_text(encoding='utf-8')
  blocks = re.findall(r'^```python\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
  code = '\n'.join(block for block in blocks if '>>>' in block)
  examples = doctest.DocTestParser().get_doctest(
    code, {}, README.name, str(README), 0
  )
  assert len(examples.examples) > 5
  runner = doctest.DocTestRunner()
  output = []
  runner.run(examples, out=output.append)
  assert runner.summarize(verbose=False).failed == 0, ''.join(output)

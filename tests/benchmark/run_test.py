import numpy as np
import pytest

from afgan_jax.benchmark import run
from afgan_jax.benchmark.table import format_table
from afgan_jax.methods.registry import build_method
from tests.support.tiny import tiny_config

pytestmark = pytest.mark.training


def _no_host(images, config):
  return None


# Whose programs are compiled soon.
SIMPLE = {'generator.fusion': 'none', 'augmentation.kind': 'none'}


@pytest.fixture(scope='module')
def figures():
  fields = SIMPLE | {
    'benchmark.device_counts': (2,),
    'benchmark.batch_sizes': (4, 8),
    'benchmark.num_images': 12,
    'benchmark.num_steps': 3,
  }
  return run.benchmark(tiny_config(**fields), _no_host)


def test_a_run_for_each_batch_size(figures):
  assert [r['batch_size'] for r in figures['runs']] == [4, 8]
  for result in figures['runs']:
    assert result['train']['flops_per_step'] == (
      result['batch_size'] * build_method(tiny_config(**SIMPLE)).train_flops()
    )
    assert result['score']['flops_per_step'] == (
      result['batch_size'] * build_method(tiny_config(**SIMPLE)).score_flops()
    )


def test_table_has_what_the_json_has(figures):
  lines = format_table(figures).splitlines()
  rows = [line.split() for line in lines if line.startswith('train')]
  assert len(rows) == 2
  for row, result in zip(rows, figures['runs'], strict=True):
    part = result['train']
    assert row[1:3] == ['2', str(result['batch_size'])]
    assert float(row[3]) == pytest.approx(part['images_per_second'], abs=0.01)
    assert float(row[4]) == pytest.approx(part['seconds_per_step'], abs=1e-4)
  assert len([line for line in lines if line.startswith('input')]) == 2


def test_figures_of_known_times():
  seconds = np.array([0.1, 0.2, 0.3, 0.4, 10.0])
  figures = run._figures(tiny_config(batch_size=6), seconds, np.median)
  assert figures['seconds_per_step'] == 0.3
  assert figures['images_per_second'] == pytest.approx(20)
  # Linear between the order statistics, as NumPy and most others have it.
  assert figures['seconds_per_step_p5'] == pytest.approx(0.12)
  assert figures['seconds_per_step_p95'] == pytest.approx(8.08)

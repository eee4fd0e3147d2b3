"""A study measures the ensemble of its seeds beside the single runs."""

import csv
import json

import pytest

from afgan_jax.config.members import list_members
from afgan_jax.detector import Detector
from afgan_jax.study.run import run_study
from afgan_jax.system.errors import UsageError
from configs.paper import variants
from datasets import load
from tests.support.quick_run import method_allowed, quick_config, write_data

pytestmark = pytest.mark.training


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  """The config and the workdir of a finished study."""
  root = tmp_path_factory.mktemp('study')
  write_data(root / 'sets' / 'parts')
  config = quick_config(root / 'sets', **{'calibration.seed': 0})
  config.study = variants.study(
    {'a': {}, 'b': {'score': {'top_k': 9, 'image': 'top_k'}}}, 'a'
  )
  config.study.categories = ('parts',)
  config.study.variants = ('a', 'b')
  config.study.seeds = (0, 1)
  config.study.ensemble = True
  with method_allowed():
    assert run_study(config, root / 'work', load) == 0
    yield config, root / 'work'


def test_each_variant_has_an_ensemble_of_all_seeds(study):
  _, workdir = study
  for variant in ('a', 'b'):
    detector = Detector.load(workdir / 'parts' / variant / 'ensemble')
    runs = {member.run for member in list_members(detector.config)}
    assert runs == {'seed_0', 'seed_1'}


def test_tables_have_the_ensembles_beside_the_means(study):
  _, workdir = study
  with (workdir / 'tables.csv').open() as file:
    rows = list(csv.DictReader(file))
  seeds = [row['seed'] for row in rows]
  assert seeds == [*'0011', 'ensemble', 'ensemble']
  text = (workdir / 'tables.md').read_text()
  part = text.split('### Image AUROC, ensembles')[1].split('\n#')[0]
  header, _, row = [x for x in part.splitlines() if x.startswith('|')][:3]
  titles = [cell.strip() for cell in header.split('|')[2:-1]]
  assert titles == ['a', 'a, ensemble', 'b', 'b, ensemble']
  cells = [cell.strip() for cell in row.split('|')[2:-1]]
  for index, variant in ((1, 'a'), (3, 'b')):
    file = workdir / 'parts' / variant / 'ensemble' / 'metrics.json'
    auroc = json.loads(file.read_text())['image_auroc']
    assert cells[index] == f'{100 * auroc:.1f}'
    assert float(rows[-2 + index // 2]['image_auroc']) == auroc


def test_what_is_measured_stays_until_a_run_goes_on(study):
  config, workdir = study
  files = [workdir / 'parts' / x / 'ensemble' / 'metrics.json' for x in 'ab']
  before = [file.stat().st_mtime_ns for file in files]
  assert run_study(config, workdir, load) == 0
  assert [file.stat().st_mtime_ns for file in files] == before
  files[0].unlink()
  assert run_study(config, workdir, load) == 0
  assert files[0].exists() and files[1].stat().st_mtime_ns == before[1]

  longer = config.copy_and_resolve_references()
  longer.num_epochs = 3
  assert run_study(longer, workdir, load) == 0
  for variant in ('a', 'b'):
    assert Detector.load(workdir / 'parts' / variant / 'ensemble').step == 9


def test_seeds_that_hold_out_other_images_are_refused(study, tmp_path):
  config, workdir = study
  other = quick_config(config.data.path)
  other.study = config.study
  with pytest.raises(UsageError, match='set config.calibration.seed, for inst'):
    run_study(other, tmp_path / 'work', load)
  other.study.ensemble = False
  other.study.seeds, other.study.variants = (0,), ('a',)
  assert run_study(other, tmp_path / 'work', load) == 0
  assert 'nsemble' not in (tmp_path / 'work' / 'tables.md').read_text()

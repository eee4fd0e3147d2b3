import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.study import figure, paper
from afgan_jax.study.differences import difference
from afgan_jax.study.plan import make_plan
from afgan_jax.study.results import (
  average,
  collect,
  mean_and_deviation,
)
from afgan_jax.study.rows import to_csv
from afgan_jax.study.tables import markdown
from tests.support.fake_study import (
  paper_config,
  study_config,
  table_2_config,
  write_metrics,
)


def finished(config, workdir, figures, failures=None):
  """Returns the results of a study of which some runs are done.

  Args:
    config: of the study.
    workdir: of the study.
    figures: by category, variant and seed the arguments of `write_metrics`.
    failures: see `collect`.
  """
  study = make_plan(config, workdir, num_devices=1)
  for run in study.runs:
    key = (run.category, run.variant, run.seed)
    if key in figures:
      write_metrics(run.config, run.workdir, *figures[key])
  return collect(study, failures or {})


def section(text, title):
  """Returns the rows of the table under a heading, cell by cell."""
  part = text.split(f'## {title}', 1)[1].split('\n## ', 1)[0]
  lines = [line for line in part.splitlines() if line.startswith('|')]
  cells = [[cell.strip() for cell in x.split('|')[1:-1]] for x in lines]
  return [cells[0], *cells[2:]]


def test_mean_and_sample_deviation():
  # Squared distances from 5 add up to 32, over 7.
  values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
  assert mean_and_deviation(values) == (5.0, pytest.approx(2.13809))
  assert mean_and_deviation([0.5]) == (0.5, None)


def test_an_average_takes_seeds_that_all_categories_have():
  columns = [{0: 0.2, 1: 0.4, 2: 0.9}, {0: 0.6, 2: 0.7}]
  assert average(columns) == {0: pytest.approx(0.4), 2: pytest.approx(0.8)}
  assert average([{0: 0.2}, {1: 0.6}]) == {}
  assert average([]) == {}


@pytest.fixture
def embedded(tmp_path):
  """Two categories, two variants, two seeds; one run is missing."""
  return finished(
    study_config(('x', 'y'), ('a', 'b'), (0, 1)),
    tmp_path,
    {
      ('x', 'a', 0): (0.80, 0.5),
      ('x', 'a', 1): (0.90, 0.5),
      ('x', 'b', 0): (0.70, 0.6),
      ('x', 'b', 1): (0.60, 0.6),
      ('y', 'a', 0): (0.50, None),
      ('y', 'b', 0): (0.60, 0.7),
      ('y', 'b', 1): (0.80, 0.7),
    },
    {tmp_path / 'y' / 'a' / 'seed_1': 'The loss is nan | stopped.'},
  )


def test_pairs_of_equal_category_and_seed_are_compared(embedded):
  found = difference(embedded, 'image_auroc', 'a')
  # +0.1, +0.3 and -0.1: mean 0.1, squared distances 0, 0.04, 0.04, over 2.
  assert (found.mean, found.deviation) == pytest.approx((0.1, 0.2))
  assert (found.num_pairs, found.share_better) == (3, pytest.approx(2 / 3))
  pixels = difference(embedded, 'pixel_auroc', 'a')
  assert (pixels.num_pairs, pixels.share_better) == (2, 0.0)
  assert difference(embedded, 'aupro_0.3', 'a') is None


def test_tables_of_a_study_that_is_not_the_papers(embedded):
  text = markdown(embedded)
  assert 'Table 3' not in text and 'paper' not in text
  assert '7 of 8 runs are done' in text
  # A deviation of two is their distance over the root of two.
  assert section(text, 'Image AUROC') == [
    ['category', 'brightness', 'mean image', 'nearest image', 'a', 'b'],
    ['x', '50.0', '25.0', '–', '85.0 ± 7.1', '65.0 ± 7.1'],
    ['y', '50.0', '25.0', '–', '50.0 (1)', '70.0 ± 14.1'],
    # Seed 0: (80 + 50) / 2; seed 1 lacks y.
    [
      '*average of others (2)*',
      '50.0',
      '25.0',
      '–',
      '65.0 (1)',
      '67.5 ± 3.5',
    ],
  ]
  # `a` has none on y, so no column is averaged over it.
  assert section(text, 'Pixel AUROC')[1:] == [
    ['x', '62.5', '–', '50.0 ± 0.0', '60.0 ± 0.0'],
    ['y', '62.5', '–', '–', '70.0 ± 0.0'],
    ['*average of others (1)*', '62.5', '–', '50.0 ± 0.0', '60.0 ± 0.0'],
  ]
  assert section(text, 'Image AUROC by score')[:2] == [
    ['category']
    + ['a, eq 13', 'a, maximum of the map']
    + ['b, eq 13', 'b, maximum of the map'],
    ['x', '85.0 ± 7.1', '15.0 ± 7.1', '65.0 ± 7.1', '35.0 ± 7.1'],
  ]
  assert section(text, 'Differences from b')[1:] == [
    ['a', 'image AUROC', '+10.0 ± 20.0', '3', '67 %'],
    ['a', 'pixel AUROC', '-10.0 ± 0.0', '2', '0 %'],
    ['a', 'AUPRO(0.3)', '–', '0', '–'],
  ]
  assert 'y | a | 1 | The loss is nan \\| stopped. |' in text


def test_the_papers_figures_stand_beside_ours(tmp_path):
  names = ('state_1', 'state_4', 'struct_3')
  config = paper_config(('m/screw', 'm/tile', 'm/wood', 'nut'), names, (5,))
  figures = {
    (category, variant, 5): (0.5,)
    for category in config.study.categories
    for variant in names
  }
  del figures['m/wood', 'state_1', 5]
  text = markdown(finished(config, tmp_path, figures))
  assert 'of seed 5 alone' in text
  assert section(text, 'Table 3') == [
    [
      'category',
      'State 1, paper',
      'State 1, ours',
      'State 4, paper',
      'State 4, ours',
    ],
    ['m/tile', '73.3', '50.0', '97.9', '50.0'],
    ['m/wood', '96.4', '–', '100.0', '50.0'],
    # Over what State 1 has, in all columns.
    ['*average of textures (1)*', '73.3', '50.0', '97.9', '50.0'],
    ['m/screw', '67.1', '50.0', '90.3', '50.0'],
    ['*average of all (2)*', '70.2', '50.0', '94.1', '50.0'],
  ]
  assert section(text, 'Table 4')[0][1::2] == [
    'Struct 3, paper',
    'Struct 4, paper',
  ]
  # Here `nut` has its row as well.
  assert ['nut'] in [row[:1] for row in section(text, 'Image AUROC')]
  assert section(text, 'Missing runs')[1:] == [
    ['m/wood', 'state_1', '5', 'not run yet']
  ]


def test_the_methods_stand_beside_table_2_and_trivial_scores(tmp_path):
  names = ('afgan', 'cbigan')
  config = table_2_config(('m/screw', 'm/tile', 'nut'), names, (0,))
  figures = {
    (category, variant, 0): (0.5,)
    for category in config.study.categories
    for variant in names
  }
  text = markdown(finished(config, tmp_path, figures))
  header, *rows = section(text, 'Table 2')
  trivial = ['brightness', 'mean image', 'nearest image']
  assert header[:4] == ['category', *trivial]
  assert header[4:] == [
    'CBiGAN, paper',
    'CBiGAN, ours',
    'AFGAN, paper',
    'AFGAN, ours',
  ]
  baselines = ['50.0', '25.0', '–']
  assert rows == [
    ['m/tile', *baselines, '91.0', '50.0', '97.9', '50.0'],
    ['m/screw', *baselines, '58.0', '50.0', '90.3', '50.0'],
    ['*average of all (2)*', *baselines, '74.5', '50.0', '94.1', '50.0'],
  ]
  assert 'plausible' not in text  # The screw of neither is 10 or 100.
  assert 'Table 3' not in text
  assert "eq 13 or the score of its method's paper" in text


def _renamed(name, categories, tmp_path):
  """Returns the tables of CBiGAN under another method's name."""
  config = table_2_config(categories, ('afgan',), (0,))
  fields = config.study.variant_fields
  with config.unlocked():
    fields[name] = fields.cbigan
  config.study.variants = ('afgan', name)
  return markdown(finished(config, tmp_path, {}))


def test_a_method_that_the_paper_lacks_has_no_column_of_the_papers(tmp_path):
  text = _renamed('f_anogan', ('m/screw',), tmp_path)
  header, row = section(text, 'Table 2')
  assert header[4:] == ['AFGAN, paper', 'AFGAN, ours', 'f_anogan, ours']
  assert row[4:] == ['90.3', '–', '–']


def test_the_papers_screw_is_no_target(tmp_path):
  sentence = "On screw, the paper's 10.0 of AnoGAN is no plausible target"
  assert sentence in _renamed('anogan', ('m/screw',), tmp_path)
  assert 'plausible' not in _renamed('anogan', ('m/tile',), tmp_path)
  sentence = "the paper's 100.0 of GANomaly is no plausible target"
  assert sentence in _renamed('ganomaly', ('m/screw', 'm/tile'), tmp_path)


def test_each_run_has_its_row(embedded):
  rows = list(csv.DictReader(io.StringIO(to_csv(embedded))))
  assert len(rows) == 8
  first, failed = rows[0], rows[-2]
  assert (first['category'], first['variant'], first['seed']) == ('x', 'a', '0')
  assert float(first['image_auroc']) == 0.8
  assert first['aupro_0.3'] == ''  # Not defined.
  assert float(first['image_auroc/brightness']) == 0.5
  assert float(first['image_auroc/max']) == pytest.approx(0.2)
  assert float(first['pixel_auroc/gradient']) == 0.625
  assert first['pixel_auroc/mean_image'] == ''
  assert (first['step'], first['failure']) == ('4', '')
  assert len(first['config_digest']) == 16
  assert (failed['variant'], failed['image_auroc']) == ('a', '')
  assert failed['failure'] == 'The loss is nan | stopped.'


def test_figure_6_has_the_methods_of_table_2_and_ours(tmp_path):
  config = paper_config(('m/screw', 'nut'), ('state_4', 'struct_1'), (0, 1))
  results = finished(
    config,
    tmp_path,
    {
      ('m/screw', 'state_4', 0): (0.5,),
      ('m/screw', 'state_4', 1): (0.7,),
      ('nut', 'state_4', 0): (0.9,),
    },
  )
  *methods, ours = figure.choose_bars(results)
  assert [bars.label for bars in methods] == list(paper.METHODS)
  screw = (10.0, 100.0, 100.0, 100.0, 58.0, 100.0, 90.3)  # Of Table 2.
  assert tuple(bars.heights[0] for bars in methods) == screw
  assert all(np.isnan(bars.heights[1]) for bars in methods)
  assert ours.label == 'state_4, ours'
  assert ours.heights == pytest.approx([60.0, 90.0])
  assert ours.errors == pytest.approx([14.142, np.nan], nan_ok=True, abs=1e-3)
  figure.write(results, tmp_path / 'figure_6.png')  # With bars left out.


def test_figure_6_has_all_of_our_methods_beside_table_2(tmp_path):
  config = table_2_config(('m/screw',), ('afgan', 'cbigan'), (0,))
  results = finished(config, tmp_path, {('m/screw', 'cbigan', 0): (0.6,)})
  bars = figure.choose_bars(results)
  assert [b.label for b in bars[-2:]] == ['afgan, ours', 'cbigan, ours']
  assert bars[-1].heights == [60.0]
  assert len(bars) == len(paper.METHODS) + 2
  figure.write(results, tmp_path / 'figure_6.png')


def test_figure_6_has_all_variants_where_the_paper_has_none(embedded, tmp_path):
  bars = figure.choose_bars(embedded)
  assert [b.label for b in bars] == ['a, ours', 'b, ours']
  figure.write(embedded, tmp_path / 'figure_6.png')
  with Image.open(tmp_path / 'figure_6.png') as image:
    assert image.width == 1800
  assert not (tmp_path / 'figure_6.png.tmp').exists()


def test_an_empty_study_can_be_drawn(tmp_path):
  config = paper_config(('screw',), ('state_4',), (0,))
  results = finished(config, tmp_path, {})
  assert '0 of 1 runs are done' in markdown(results)
  figure.write(results, tmp_path / 'figure_6.png')


def test_studies_of_validation_show_the_visible_defects_first(tmp_path):
  config = study_config(('x',), ('a', 'b'), (0, 1))
  config.study.measure = 'validation'
  study = make_plan(config, tmp_path, num_devices=1)
  for run in study.runs:
    write_metrics(run.config, run.workdir, 0.5, 0.5, 0.5)
    path = run.workdir / 'metrics.json'
    stored = json.loads(path.read_text())
    value = {'a': 0.9, 'b': 0.7}[run.variant] + run.seed / 100
    visible = {'image_auroc': value, 'pixel_auroc': None, 'missed_rate': 0.25}
    if run.seed or run.variant == 'a':  # An older file has no groups.
      stored['groups'] = {'visible': visible}
    (run.workdir / 'validation.json').write_text(json.dumps(stored))
  text = markdown(collect(study, {}))
  part = text.split('### Image AUROC of visible defects', 1)[1]
  part = part.split('###', 1)[0]
  assert '90.5 ± 0.7' in part and '71.0' in part
  assert text.index('anybody could see') < text.index('## Image AUROC beside')
  differences = section(text, 'Differences from b')
  assert differences[1][:3] == ['a', 'image AUROC of visible defects', '+20.0']
  test = study_config(('x',), ('a', 'b'), (0, 1))
  text = markdown(collect(make_plan(test, tmp_path, num_devices=1), {}))
  assert 'anybody could see' not in text

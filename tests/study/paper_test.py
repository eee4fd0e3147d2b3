import numpy as np
import pytest

from afgan_jax.study import paper
from datasets.mvtec_ad import OBJECTS, TEXTURES

TABLES = {
  'Table 2': paper.TABLE_2,
  'Table 3': paper.TABLE_3,
  'Table 4': paper.TABLE_4,
}
# Where the printed average is not that of the printed rows: table, row of the
# averages (textures, objects, all), column.
INCONSISTENT = {
  ('Table 2', 0, 2),  # Skip-GANomaly: 82.58, printed 80.2.
  ('Table 2', 2, 5),  # Dual-Attention GAN: 90.27, printed 90.2.
  ('Table 2', 2, 6),  # The paper's own: 94.25, printed 94.3.
  ('Table 3', 2, 3),
  ('Table 4', 2, 3),
}


def test_categories_are_those_of_the_data_set():
  assert (paper.TEXTURES, paper.OBJECTS) == (TEXTURES, OBJECTS)


@pytest.mark.parametrize('name', TABLES)
def test_printed_averages_are_those_of_the_rows(name):
  table = TABLES[name]
  assert tuple(table) == TEXTURES + OBJECTS
  groups = (TEXTURES, OBJECTS, TEXTURES + OBJECTS)
  for row, (group, printed) in enumerate(
    zip(groups, paper.PRINTED_AVERAGES[name], strict=True)
  ):
    means = np.mean([table[category] for category in group], axis=0)
    for column, (mean, value) in enumerate(zip(means, printed, strict=True)):
      agrees = abs(mean - value) <= 0.05 + 1e-9
      assert agrees != ((name, row, column) in INCONSISTENT), (row, column)


def test_the_last_columns_are_the_same_method():
  for category, row in paper.TABLE_3.items():
    assert row[-1] == paper.TABLE_4[category][-1] == paper.TABLE_2[category][-1]


def test_figures_are_found_by_variant_and_category():
  assert paper.reported('state_1', 'grid') == 83.2
  assert paper.reported('struct_2', 'transistor') == 77.2
  assert paper.reported('state_4', 'screw') == 90.3
  assert paper.reported('cbigan', 'grid') == 99.0
  assert paper.reported('dual_attention_gan', 'pill') == 89.0
  assert paper.reported('afgan', 'capsule') == 83.0
  assert paper.reported('f_anogan', 'grid') is None
  assert paper.reported('state_4', 'nut') is None
  assert paper.reported('state_5', 'screw') is None


def test_averages_are_over_the_categories_named():
  assert paper.average('state_1', ('grid', 'screw')) == pytest.approx(75.15)
  assert paper.average('state_1', ()) is None
  assert paper.average('state_1', ('grid', 'nut')) is None


def test_methods_have_the_papers_names():
  names = [paper.method_name(variant) for variant in paper.TABLE_2_COLUMNS]
  assert names == [*paper.METHODS[:-1], 'AFGAN']
  assert paper.method_name('f_anogan') == 'f_anogan'

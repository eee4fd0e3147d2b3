"""Tables of images, as spreadsheets and scripts write them."""

import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets.hold_out import Division
from datasets.split import read_split
from datasets.table import TableSource

SIZE = 8


def _table(folder, text, encoding='utf-8'):
  """Writes a table and the images that it lists, each of its own level."""
  path = folder / 'images.csv'
  path.write_text(text, encoding=encoding)
  levels = {'a.png': 10, 'b.png': 20, 'sub/ü c.jpg': 30, 'd.png': 40}
  levels['m.png'] = 255
  for name, level in levels.items():
    (folder / name).parent.mkdir(exist_ok=True)
    image = np.full((SIZE, SIZE), level, np.uint8)
    Image.fromarray(image).save(folder / name, quality=95)
  return str(path)


FULL = (
  'path,split,label,mask\n'
  'b.png,train,good,\n'
  'a.png,train,good,\n'
  'd.png,test,good,\n'
  'sub/ü c.jpg,test,deep scratch,m.png\n'
)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_a_table_says_what_each_image_is(tmp_path, encoding, end):
  path = _table(tmp_path, FULL.replace('\n', end), encoding)
  train = read_split(TableSource(path).train(), Preprocessor(SIZE))
  np.testing.assert_array_equal(train.images[:, 0, 0, 0], [20, 10])
  test = read_split(TableSource(path).test(), Preprocessor(SIZE))
  np.testing.assert_allclose(test.images[:, 0, 0, 0].astype(int), [40, 30], 0.1)
  assert test.defect_types == ('good', 'deep scratch')
  np.testing.assert_array_equal(test.masks.mean(axis=(1, 2)), [0, 1])
  np.testing.assert_array_equal(test.has_mask, [True, True])
  assert TableSource(path).notes() == ()


def test_columns_come_in_any_order_and_some_may_miss(tmp_path):
  path = _table(
    tmp_path,
    'label,comment,path\ngood,"a, b",a.png\ndent,,d.png\ngood,,b.png\n',
  )
  source = TableSource(path, division=Division(0.5))
  assert len(source.train()) == 1
  kinds = [sample.defect_type for sample in source.test()]
  assert sorted(kinds) == ['dent', 'good']


def test_without_a_defect_all_good_images_are_learnt_from(tmp_path):
  path = _table(tmp_path, 'path,label\na.png,good\nb.png,good\n')
  assert len(TableSource(path).train()) == 2
  assert TableSource(path).test() == []


def test_defects_without_a_mask_are_counted(tmp_path):
  path = _table(tmp_path, FULL + 'd2.png,test,dent,\n')
  (note,) = TableSource(path).notes()
  assert note.startswith('1 of 2 defective images have no mask')
  assert 'd2.png' in note


@pytest.mark.parametrize(
  'text, words',
  [
    ('', "no column 'path' but none"),
    ('file,label\na.png,good\n', "no column 'path' but file, label"),
    ('path,split\na.png,train\n', "no column 'label'"),
    (
      'path,split,label\na.png,validation,good\n',
      "line 2: the split is 'valid",
    ),
    ('path,split,label\na.png,train\n', "line 2: 'label' is empty"),
    ('path,label\n,good\n', "line 2: 'path' is empty"),
    (
      'path,split,label\na.png,train,dent\n',
      "line 2: .*'dent' cannot be a training",
    ),
    ('path,split,label\na.png,train,good\na.png,test,good\n', 'a.png twice'),
    ('path,split,label\na.png,test,good\n', 'no good training images'),
    ('path,label\n"a.png,good\n', 'cannot be read as a table'),
  ],
)
def test_tables_that_cannot_be_used_say_where(tmp_path, text, words):
  with pytest.raises(DataError, match=words) as caught:
    TableSource(_table(tmp_path, text)).train()
  assert 'images.csv' in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'encoding', ['utf-16', 'utf-16-le', 'utf-32', 'cp1252']
)
def test_encodings_of_spreadsheets_are_read(tmp_path, encoding):
  source = TableSource(_table(tmp_path, FULL, encoding))
  test = read_split(source.test(), Preprocessor(SIZE))
  np.testing.assert_allclose(test.images[:, 0, 0, 0].astype(int), [40, 30], 0.1)
  assert ('cp1252' in ' '.join(source.notes())) == (encoding == 'cp1252')


def test_other_encodings_are_refused(tmp_path):
  path = tmp_path / 'images.csv'
  # No UTF-8, and 0x81 has no meaning in cp1252.
  path.write_bytes(b'path,label\na\x81.png,good\n')
  with pytest.raises(DataError, match='images.csv cannot be read as a table'):
    TableSource(str(path)).train()


SEPARATED = [
  ('semicolon', 'path;split;label;mask\r\n', ';'),
  ('tab', 'path\tsplit\tlabel\tmask\n', '\t'),
  ('bar', 'path|split|label|mask\n', '|'),
  ('sep=', 'sep=;\r\npath;split;label;mask\r\n', ';'),
  ('capitals', 'Path,SPLIT,Label,Mask\n', ','),
  ('spaces', ' path, split , label, mask\n', ', '),
  ('quotes', '"path";"split";"label";"mask"\n', ';'),
  ('commas in a comment', 'comment, e.g. a;path;split;label;mask\n', None),
]


@pytest.mark.parametrize('name, head, separator', SEPARATED)
def test_tables_of_spreadsheets_are_read(tmp_path, name, head, separator):
  before = '' if separator else 'one, two, three;'
  separator = separator or ';'
  rows = [
    ('a.png', 'Train', 'OK', ''),
    ('b.png', 'training', 'Good', ''),
    ('', '', '', ''),
    ('d.png', 'TEST', 'gut', ''),
    ('sub\\ü c.jpg', 'test', 'NG', 'm.png'),
    ('', '', '', ''),
  ]
  body = ''.join(before + separator.join(row) + '\r\n' for row in rows)
  body = body.replace(f'{before}{separator * 3}\r\n', separator * 3 + '\r\n')
  source = TableSource(_table(tmp_path, head + body))
  assert len(source.train()) == 2
  test = read_split(source.test(), Preprocessor(SIZE))
  assert test.defect_types == ('good', 'NG')
  np.testing.assert_array_equal(test.has_mask, [True, True])
  assert source.notes() == ("'Good', 'OK' and 'gut' are all read as good.",)


@pytest.mark.parametrize(
  'good, bad, words',
  [
    ('0', '1', "'0' is read as good, and '1' as defective"),
    ('0.0', '1.0', "'0.0' is read as good"),
    ('False', 'True', "'False' is read as good, and 'True' as defective"),
    ('OK', 'NG', "'OK' is read as good."),
    ('i.O.', 'n.i.O.', "'i.O.' is read as good."),
  ],
)
def test_labels_are_words_or_numbers(tmp_path, good, bad, words):
  text = f'path,label\na.png,{good}\nb.png,{good}\nd.png,{bad}\n'
  source = TableSource(_table(tmp_path, text), division=Division(0.5))
  assert len(source.train()) == 1
  kinds = sorted(sample.defect_type for sample in source.test())
  assert kinds == sorted(['good', bad])
  assert words in source.notes()[0]


@pytest.mark.parametrize(
  'text, words',
  [
    ('path,label\na.png,good\nb.png,0\n', "'good' and '0', so that it is un"),
    ('path,label\na.png,NaN\n', "line 2: the label 'NaN' does not say"),
    ('path,label\na.png,1\nb.png,-1\n', "images labelled '-1' and '1'"),
    ('path;label\na.png,good\n', "'label' is empty .*separated by semicolon"),
    ('path label\na.png good\n', 'but path label .*comma, semicolon or tab'),
    ('path,label\na,b.png,good\n', 'line 2: there are 3 cells and .* quotes'),
    ('path,Path,label\na.png,,good\n', "two columns 'path'"),
    (
      'path,label\na.png,good\n./a.png,scratch\n',
      r'a.png twice, in lines 2 and 3, and not with the same label',
    ),
  ],
)
def test_unclear_tables_are_refused_in_a_sentence(tmp_path, text, words):
  with pytest.raises(DataError, match=words) as caught:
    TableSource(_table(tmp_path, text)).train()
  assert 'images.csv' in str(caught.value)
  assert '\n' not in str(caught.value)


def test_one_image_under_two_names_is_read_once(tmp_path):
  text = f'path,label\na.png,good\n{tmp_path}/a.png,good\nsub/../a.png,OK\n'
  source = TableSource(_table(tmp_path, text))
  assert len(source.train()) == 1
  assert 'has 2 lines more than images' in ' '.join(source.notes())


def test_a_tilde_in_a_table_is_the_home_folder(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  path = _table(tmp_path, 'path,label\n~/a.png,good\n')
  (sample,) = TableSource(path).train()
  assert sample.path == str(tmp_path / 'home' / 'a.png')


def test_decomposed_file_names_are_found(tmp_path):
  path = _table(tmp_path, 'path,label\nsub/ü c.jpg,good\n')
  (tmp_path / 'sub' / 'ü c.jpg').rename(tmp_path / 'sub' / 'u\u0308 c.jpg')
  split = read_split(TableSource(path).train(), Preprocessor(SIZE))
  assert len(split) == 1


def test_a_table_that_is_not_there_is_named(tmp_path):
  with pytest.raises(DataError, match='images.csv cannot be read'):
    TableSource(str(tmp_path / 'images.csv')).train()


def test_images_that_are_not_there_are_named(tmp_path):
  path = _table(tmp_path, FULL.replace('a.png', 'missing.png'))
  with pytest.raises(DataError, match='missing.png'):
    read_split(TableSource(path).train(), Preprocessor(SIZE))

"""Hundreds of folders and tables as bad luck makes them: no traceback ever."""

import io
import os
import pathlib
import tempfile

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from afgan_jax.system.errors import DataError
from datasets import load
from datasets.from_config import open_source
from datasets.image_statistics import look_at
from datasets.inspection import describe
from tests.support.tiny import tiny_config

SETTINGS = settings(
  max_examples=250,
  deadline=None,
  derandomize=True,  # The same for everybody.
  suppress_health_check=[HealthCheck.too_slow],
)
FORMATS = ('PNG', 'JPEG', 'BMP', 'TIFF', 'WEBP', 'GIF')
MODES = ('1', 'L', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16', 'I', 'F', 'LA', 'HSV')
EXTENSIONS = ('.png', '.JPG', '.bmp', '.tif', '.webp', '.txt', '.gif', '')


@st.composite
def contents(draw):
  """Draws the bytes of an image, mostly damaged in some way."""
  mode = draw(st.sampled_from(MODES))
  size = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
  stream = io.BytesIO()
  try:
    Image.new(mode, size, draw(st.integers(0, 1))).save(
      stream, draw(st.sampled_from(FORMATS))
    )
  except (OSError, KeyError, ValueError):  # Not every format has every mode.
    stream = io.BytesIO(draw(st.binary(max_size=40)))
  content = bytearray(stream.getvalue())
  damage = draw(st.sampled_from(['none', 'cut', 'bytes', 'text', 'empty']))
  if damage == 'cut':
    del content[draw(st.integers(0, len(content))) :]
  elif damage == 'bytes':
    for _ in range(draw(st.integers(1, 6))):
      if content:
        place = draw(st.integers(0, len(content) - 1))
        content[place] = draw(st.integers(0, 255))
  elif damage == 'text':
    content = b'These are no pixels.'
  elif damage == 'empty':
    content = b''
  return bytes(content)


TEXTS = st.text(
  st.characters(codec='utf-8', exclude_categories=('Cs',)),
  min_size=1,
  max_size=12,
)
NAMES = st.one_of(
  TEXTS, st.binary(min_size=1, max_size=12).map(os.fsdecode)
).filter(lambda name: name not in ('.', '..') and not set('/\0') & set(name))
FOLDERS = st.sampled_from(
  [
    '',
    'good',
    'train/good',
    'test/good',
    'test/hole',
    'hole',
    'ground_truth/hole',
    'test/hole/deep',
    'train',
    'OK',
    'NG',
    'masks',
    'Train/Good',
    'test/ok',
    'test/hole/masks',
    'test/0',
    'overlays',
  ]
)


@st.composite
def trees(draw):
  """Draws a folder: paths and what is in the files."""
  files = draw(
    st.lists(
      st.tuples(FOLDERS, NAMES, st.sampled_from(EXTENSIONS), contents()),
      max_size=6,
    )
  )
  return [(f'{folder}/{name}{end}', data) for folder, name, end, data in files]


def _write(root: pathlib.Path, tree) -> None:
  for name, data in tree:
    path = root / name.lstrip('/')
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(data)
    except OSError:
      pass  # A file where a folder should be, or a name that is too long.


def _check(root: pathlib.Path, use) -> None:
  """Lets `use` succeed, or fail with a sentence that names a place."""
  before = sorted(root.rglob('*'))
  try:
    use()
  except DataError as error:
    message = str(error)
    assert str(root) in message or 'config.data' in message
    assert '\n' not in message
  assert sorted(root.rglob('*')) == before


def _config(path, **fields):
  return tiny_config(
    **{'data.source': 'folder', 'data.path': str(path), **fields}
  )


@SETTINGS
@given(
  tree=trees(), skip=st.booleans(), geometry=st.sampled_from(['pad', 'object'])
)
def test_folders_end_in_arrays_or_in_a_sentence(tree, skip, geometry):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    _write(root, tree)
    config = _config(
      root, **{'data.skip_unreadable': skip, 'data.geometry': geometry}
    )

    def use():
      train, _ = load.load_train(config)
      assert train.images.shape == (len(train), 16, 16, 3)
      assert np.isfinite(train.pixels).all()

    _check(root, use)
    _check(root, lambda: load.load_test(config))


@SETTINGS
@given(tree=trees())
def test_folders_are_inspected_or_refused_in_a_sentence(tree):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    _write(root, tree)
    source = open_source(_config(root))
    _check(root, lambda: describe(look_at(source), source.notes()))


@SETTINGS
@given(tree=trees(), table=st.booleans())
def test_no_file_is_passed_over_in_silence(tree, table):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    _write(root, tree)
    if table:
      (root / 'predictions.jsonl').write_text('')
    source = open_source(_config(root, **{'data.test_fraction': 0.5}))
    try:
      used = [s.path for s in (*source.train(), *source.test())]
    except DataError:
      return  # Refused in a sentence.
    assert len(set(used)) == len(used)
    told = 0
    for note in (*source.skipped(), *source.notes()):
      if ' are skipped because ' in note or ' are taken for masks' in note:
        told += int(note.split()[0])
    own = [root / 'overlays'] if table else []
    truth = [root / 'ground_truth']
    files = 0
    for path in root.rglob('*'):
      if path.is_file() and not set(own) & set(path.parents):
        # Masks are used or told by `notes`.
        is_image = path.suffix.lower() in ('.png', '.jpg', '.bmp', '.tif')
        is_image |= path.suffix.lower() in ('.webp', '.gif')
        files += not (is_image and set(truth) & set(path.parents))
    assert len(used) + told == files


CELLS = st.one_of(
  st.sampled_from(
    ['a.png', 'train', 'test', 'good', 'hole', '', '"', '../a.png', 'path']
    + ['OK', 'NG', '0', '1', './a.png', 'nan']
  ),
  NAMES,
)


@SETTINGS
@given(
  header=st.sampled_from(
    ['path,split,label,mask', 'path,label', 'label,path,split', 'x,y', '']
  ),
  rows=st.lists(st.lists(CELLS, max_size=5), max_size=5),
  tail=st.binary(max_size=3),
  separator=st.sampled_from(',;\t|'),
  encoding=st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16', 'cp1252']),
)
def test_tables_end_in_arrays_or_in_a_sentence(
  header, rows, tail, separator, encoding
):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    Image.new('L', (4, 4)).save(root / 'a.png')
    lines = [header.replace(',', separator)]
    text = '\n'.join([*lines, *(separator.join(row) for row in rows)])
    errors = 'surrogateescape' if encoding == 'utf-8' else 'replace'
    data = text.encode(encoding, errors)
    (root / 't.csv').write_bytes(data + tail)
    config = _config(root / 't.csv')
    _check(root, lambda: load.load_train(config))
    _check(root, lambda: load.load_test(config))


@SETTINGS
@given(data=contents())
def test_masks_are_read_or_named(data):
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    for name in ('test/good/a', 'test/hole/b'):
      (root / name).parent.mkdir(parents=True)
      Image.new('L', (4, 4), 9).save(root / f'{name}.png')
    (root / 'ground_truth/hole').mkdir(parents=True)
    (root / 'ground_truth/hole/b.png').write_bytes(data)
    split = load.load_test(_config(root))
    assert len(split) == 2
    assert split.has_mask[1] == bool(split.masks[1].any())
    assert split.has_mask[1] or 'b.png' in split.notes[-1]

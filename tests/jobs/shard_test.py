"""Shards are disjoint and complete; a merge misses nothing."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from afgan_jax.jobs.predict import Shard, merge, predict
from afgan_jax.system.errors import MissingShard, OtherPredictions, UsageError
from tests.support.made_up import made_up_detector, part

NUM_IMAGES, NUM_SHARDS = 17, 3


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
  names=st.sets(st.text('abc/ü ', min_size=1, max_size=8), max_size=30),
  count=st.integers(1, 7),
)
def test_each_image_is_in_one_shard(names, count):
  paths = sorted(f'/data/{name}.png' for name in names)
  parts = [Shard(index, count).select(paths, '/data') for index in range(count)]
  assert sorted(sum(parts, [])) == paths


def test_shards_keep_their_images_wherever_these_are():
  paths = [f'{number}.png' for number in range(200)]
  near = [f'/near/{path}' for path in paths]
  far = [f'/mnt/far/{path}' for path in [*paths, 'new.png']]
  for index in range(4):
    shard = Shard(index, 4)
    a = [path.removeprefix('/near/') for path in shard.select(near, '/near')]
    b = [
      path.removeprefix('/mnt/far/') for path in shard.select(far, '/mnt/far')
    ]
    assert a == [path for path in b if path != 'new.png']
    assert 25 <= len(a) <= 75


@pytest.mark.parametrize(
  'text', ['', '1', '4/4', '-1/4', '1/0', '1/2/3', 'a/b']
)
def test_wrong_shards_are_told(text):
  with pytest.raises(UsageError, match='must be I/N with I from 0 to N − 1'):
    Shard.parse(text)
  assert Shard.parse('0/4') == (0, 4)


@pytest.fixture
def images(tmp_path):
  folder = tmp_path / 'images'
  for number in range(NUM_IMAGES):
    path = folder / str(number % 2) / f'{number}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(part(defect=bool(number % 3))).save(path)
  (folder / '0' / '4.png').write_bytes(b'no image')
  return sorted(map(str, folder.rglob('*.png')))


def predict_shards(images, output, indices=range(NUM_SHARDS), **given):
  detector = made_up_detector()
  return sum(
    predict(detector, images, output, shard=Shard(index, NUM_SHARDS), **given)
    for index in indices
  )


def rows_of(output):
  text = (output / 'predictions.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_merged_shards_are_the_predictions_of_one_process(images, tmp_path):
  whole, output = tmp_path / 'whole', tmp_path / 'output'
  assert predict(made_up_detector(), images, whole) == 1
  assert predict_shards(images, output) == 1
  assert merge(output) == (NUM_IMAGES, 1)
  key = lambda row: row['path']  # noqa: E731
  assert sorted(rows_of(output), key=key) == sorted(rows_of(whole), key=key)
  tables = [(x / 'predictions.csv').read_text() for x in (whole, output)]
  assert sorted(tables[0].splitlines()) == sorted(tables[1].splitlines())
  pictures = [
    sorted(str(p.relative_to(x)) for p in (x / 'overlays').rglob('*.*'))
    for x in (whole, output)
  ]
  assert pictures[0] == pictures[1] and len(pictures[0]) == NUM_IMAGES - 1


def test_what_is_missing_is_told_and_nothing_is_written(images, tmp_path):
  output = tmp_path / 'output'
  with pytest.raises(MissingShard, match='holds no shards'):
    merge(output)
  predict_shards(images, output, [0, 2])
  with pytest.raises(MissingShard, match='lacks the shards 1/3'):
    merge(output)
  predict_shards(images, output, [1])
  lines = output / 'shards' / '1_of_3' / 'predictions.jsonl'
  rows = lines.read_text().splitlines(keepends=True)
  lines.write_text(''.join(rows[:-2]))
  lost = [json.loads(row)['path'] for row in rows[-2:]]
  with pytest.raises(UsageError) as error:
    merge(output)
  assert 'Shard 1/3 is not finished' in str(error.value)
  assert all(path in str(error.value) for path in lost)
  assert not (output / 'predictions.jsonl').exists()
  predict_shards(images, output, [1], resume=True)
  assert merge(output).num_images == NUM_IMAGES


def test_images_that_appear_between_shards_are_told(images, tmp_path):
  output = tmp_path / 'output'
  predict_shards(images, output, [0, 1])
  more = str(tmp_path / 'images' / '0' / 'more.png')
  Image.fromarray(part()).save(more)
  predict_shards(sorted([*images, more]), output, [2])
  with pytest.raises(UsageError, match='the images changed between them'):
    merge(output)
  predict_shards(sorted([*images, more]), output, resume=True)
  assert merge(output).num_images == NUM_IMAGES + 1


def test_shards_of_other_models_and_counts_are_told(images, tmp_path):
  output = tmp_path / 'output'
  predict_shards(images, output)
  lines = output / 'shards' / '2_of_3' / 'predictions.jsonl'
  text = lines.read_text()
  model = json.loads(text.splitlines()[0])['model']
  lines.write_text(text.replace(model, '0' * 12, 1))
  with pytest.raises(OtherPredictions, match='different models'):
    merge(output)
  # Each shard by another model.
  lines.write_text(text.replace(model, '0' * 12))
  with pytest.raises(OtherPredictions, match='different models'):
    merge(output)
  lines.write_text(text)
  shutil.copytree(output / 'shards' / '2_of_3', output / 'shards' / '2_of_4')
  description = output / 'shards' / '2_of_4' / 'shard.json'
  content = json.loads(description.read_text()) | {'count': 4}
  description.write_text(json.dumps(content))
  with pytest.raises(UsageError, match='shards of 3 and of 4 parts'):
    merge(output)
  description.write_text('{')
  with pytest.raises(UsageError, match='2_of_4 is no complete shard'):
    merge(output)
  assert np.all([path.exists() for path in (lines, description)])

"""Notes on many images of a data set become few."""

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.preprocessor import Preprocessor
from datasets.notes import merge_notes
from datasets.source import file_sample
from datasets.split import read_split


def _write(path, end, dtype=np.uint16):
  levels = np.full((8, 8), end, dtype)
  levels[0] = 1
  Image.fromarray(levels).save(path)
  return str(path)


def _notes(paths):
  samples = [file_sample(path, 'good', None) for path in paths]
  return read_split(samples, Preprocessor(8)).notes


def test_a_12_bit_camera_is_said_once(tmp_path):
  ends = [900, 4095, 2000, 1023, 3000]
  paths = [_write(tmp_path / f'{i}.png', end) for i, end in enumerate(ends)]
  (note,) = _notes(paths)
  assert note.startswith(
    'The values of 5 of 5 images are of 16 bits and end at'
  )
  assert (
    '4,095' in note and '12-bit' in note and 'config.data.white=4095' in note
  )
  # Images of 8 bits do not contradict.
  eight = _write(tmp_path / 'eight.png', 200, np.uint8)
  (note,) = _notes([*paths, eight])
  assert '5 of 6 images' in note


def test_dark_images_among_others_of_16_bits_are_no_camera(tmp_path):
  paths = [_write(tmp_path / f'{i}.png', 900 + i) for i in range(5)]
  assert _notes([*paths, _write(tmp_path / 'full.png', 65000)]) == ()


def test_a_single_image_is_said_too(tmp_path):
  (note,) = _notes([_write(tmp_path / 'a.tif', 1000)])
  assert '1 of 1 images' in note and 'config.data.white=1023' in note


def test_notes_that_differ_in_numbers_become_one():
  paths = [f'/a: b/{i}.png' for i in range(5)]
  masks = [f'/m/{i}.xml' for i in range(5)]
  notes = [f'{mask}: {i} boxes of {i}.5 %' for i, mask in enumerate(masks)]
  notes += [f'{paths[0]}: odd', 'The mask 7 has another size.']
  assert merge_notes(notes, paths, masks) == (
    f'{notes[0]}; likewise {", ".join(masks[1:])}',
    f'{paths[0]}: odd',
    'The mask 7 has another size.',
  )
  assert merge_notes(notes[:3], paths, masks) == tuple(notes[:3])

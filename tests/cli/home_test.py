"""A tilde in a flag is the home folder: no shell expands it behind a `=`."""

import os
import pathlib
import subprocess
import sys

from PIL import Image

ROOT = pathlib.Path(__file__).parents[2]


def test_paths_in_flags_may_begin_with_a_tilde(tmp_path):
  (tmp_path / 'images').mkdir()
  Image.new('L', (8, 8)).save(tmp_path / 'images' / 'a.png')
  subprocess.run(
    [
      sys.executable,
      'main.py',
      '--mode=inspect',
      '--config=configs/folder.py',
      '--config.data.path=~/images',
      '--workdir=~/run',
    ],
    cwd=ROOT,
    env=os.environ | {'HOME': str(tmp_path), 'XDG_CACHE_HOME': str(tmp_path)},
    check=True,
    capture_output=True,
  )
  assert (tmp_path / 'run' / 'inspection.json').exists()
  assert not (ROOT / '~').exists()

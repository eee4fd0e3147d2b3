"""A watched folder: what is whole is predicted once, in a real process too."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from afgan_jax.jobs.predict import folder_scan, watch
from afgan_jax.jobs.predict.folder_scan import Arrivals, Memory, scan
from afgan_jax.jobs.predict.rows import Stamp
from afgan_jax.system.errors import DataError
from tests.support.made_up import made_up_detector, part

ROOT = pathlib.Path(__file__).parents[2]
# main.py, with a detector that needs no workdir.
PROGRAM = """
import runpy, sys
from afgan_jax import detector
from tests.support.made_up import made_up_detector
detector.Detector.load = lambda *_, **fields: made_up_detector(**fields)
sys.argv = ['main.py', '--mode=predict', '--workdir=none', *sys.argv[1:]]
runpy.run_path('main.py', run_name='__main__')
"""


def save(path, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(part(**options)).save(path)


@pytest.fixture
def arrivals(tmp_path):
  return Arrivals(str(tmp_path), Memory(), steady=1, grace=5)


def taken(arrivals, now):
  arrivals.look(now)
  found = []
  while path := arrivals.next():
    found.append(os.path.basename(path[0]))
  return found


def test_a_file_is_taken_when_it_is_steady(arrivals, tmp_path):
  path = tmp_path / 'a.png'
  path.write_bytes(b'1')
  assert taken(arrivals, 0) == []
  path.write_bytes(b'12')
  assert taken(arrivals, 1) == []  # It has grown.
  os.utime(path, (5, 5))
  assert taken(arrivals, 2) == []  # It has been written to.
  assert taken(arrivals, 3) == ['a.png']
  assert taken(arrivals, 4) == ['a.png']  # It was not done.
  arrivals.done(str(path))
  assert taken(arrivals, 5) == []
  os.utime(path, (6, 6))
  assert taken(arrivals, 6) == []
  assert taken(arrivals, 7) == ['a.png']


def test_the_oldest_is_taken_first(arrivals, tmp_path):
  for name, modified in (('a', 30), ('b', 10), ('c', 20), ('d', 20)):
    save(tmp_path / f'{name}.png')
    os.utime(tmp_path / f'{name}.png', (modified, modified))
  taken(arrivals, 0)
  assert taken(arrivals, 1) == ['b.png', 'c.png', 'd.png', 'a.png']


def test_files_that_are_removed_are_named(arrivals, tmp_path):
  save(tmp_path / 'a.png')
  arrivals.look(0)
  os.remove(tmp_path / 'a.png')
  arrivals.look(1)
  assert arrivals.vanished == [str(tmp_path / 'a.png')]
  assert arrivals.next() is None


def test_a_file_that_does_not_decode_is_given_up_once_it_stays(
  arrivals, tmp_path
):
  path = tmp_path / 'a.png'
  path.write_bytes(b'half')
  taken(arrivals, 0)
  assert not arrivals.is_given_up(str(path), 4)
  path.write_bytes(b'half and more')
  taken(arrivals, 4.5)
  assert not arrivals.is_given_up(str(path), 5)
  assert arrivals.is_given_up(str(path), 9.5)


def test_scan_leaves_out_what_is_hidden_drawn_or_no_image(tmp_path):
  for name in ('a.png', '.b.png', 'sub/c.JPG', '.hidden/d.png', 'e.txt'):
    save(tmp_path / 'x.png')
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.rename(tmp_path / 'x.png', tmp_path / name)
  save(tmp_path / 'out' / 'overlays' / 'a.png.jpg')
  save(tmp_path / 'out' / 'contact_sheet.png')
  (tmp_path / 'out' / 'predictions.jsonl').touch()
  save(tmp_path / 'runs' / 'demo' / 'sheet.png')
  (tmp_path / 'runs' / 'demo' / 'config.json').touch()
  (tmp_path / 'runs' / 'demo' / 'checkpoints').mkdir()
  save(tmp_path / 'maps' / 'z.png')  # Nobody's table is beside.
  os.symlink(tmp_path, tmp_path / 'sub' / 'loop')
  os.symlink(tmp_path / 'gone.png', tmp_path / 'link.png')
  found = {os.path.relpath(path, tmp_path) for path, _ in scan(str(tmp_path))}
  assert found == {'a.png', 'sub/c.JPG', 'maps/z.png'}


def test_memory_forgets_the_oldest_files_that_are_gone():
  memory = Memory(limit=10)
  for i in range(25):
    memory.add(f'{i}.png', Stamp(i, i))
    memory.forget(['0.png'])
    assert len(memory) <= 11
  assert memory.has('0.png', Stamp(0, 0))
  assert not memory.has('1.png', Stamp(1, 1))
  assert memory.has('24.png', Stamp(24, 24))
  assert not memory.has('24.png', Stamp(24, 25))


def test_a_drive_that_comes_back_is_known(tmp_path):
  folder = tmp_path / 'drive'
  save(folder / 'a.png')
  arrivals = Arrivals(str(folder), Memory(), steady=1, grace=5)
  taken(arrivals, 0)
  assert taken(arrivals, 1) == ['a.png']
  arrivals.done(str(folder / 'a.png'))
  os.rename(folder, tmp_path / 'away')
  with pytest.raises(OSError):
    arrivals.look(2)
  folder.mkdir()
  arrivals.look(3)  # An empty mount point.
  folder.rmdir()
  os.rename(tmp_path / 'away', folder)
  assert taken(arrivals, 4) == [] and taken(arrivals, 5) == []
  assert folder_scan.REMEMBERED >= 10_000


class Watch:
  """The program in a process of its own."""

  def __init__(self, folder, output, *flags):
    self.lines = output / 'predictions.jsonl'
    arguments = ['--watch', f'--input={folder}', f'--output={output}', *flags]
    self.process = subprocess.Popen(
      [sys.executable, '-c', PROGRAM, *arguments],
      cwd=ROOT,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def wait(self, count, seconds=60):
    """Waits for a number of rows; returns all of them."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and self.process.poll() is None:
      rows = self.rows()
      if len(rows) >= count:
        return rows
      time.sleep(0.05)
    pytest.fail(f'{len(self.rows())} of {count} rows: {self.stop()}')

  def rows(self):
    text = self.lines.read_text() if self.lines.exists() else ''
    return [json.loads(line) for line in text.split('\n')[:-1]]

  def stop(self, signum=signal.SIGTERM):
    self.process.send_signal(signum)
    stdout, stderr = self.process.communicate(timeout=30)
    return self.process.returncode, stdout, stderr


@pytest.fixture
def start():
  """Starts watches and ends those that a test leaves."""
  started = []

  def run(*arguments):
    started.append(Watch(*arguments))
    return started[-1]

  yield run
  for program in started:
    if program.process.poll() is None:
      program.process.kill()
    program.process.communicate()


def test_watch_predicts_what_arrives_and_survives_restarts(start, tmp_path):
  folder, output = tmp_path / 'in', tmp_path / 'out'
  save(folder / 'first.png')
  running = start(folder, output)
  (row,) = running.wait(1)
  assert row['verdict'] == 'defective'

  # A burst, a subfolder, and a file that is written in two pieces.
  whole = (folder / 'first.png').read_bytes()
  (folder / 'slow.png').write_bytes(whole[:-40])
  for i in range(30):
    save(folder / 'sub' / f'{i:02d}.png', defect=False)
  time.sleep(0.5)
  with (folder / 'slow.png').open('ab') as file:
    file.write(whole[-40:])
  rows = running.wait(32)
  assert len(rows) == len({row['path'] for row in rows}) == 32
  assert not any(row['error'] for row in rows)

  # The camera overwrites: another row for the other image.
  save(folder / 'first.png', defect=False)
  rows = running.wait(33)
  assert [row['verdict'] for row in rows if 'first' in row['path']] == [
    'defective',
    'good',
  ]
  code, stdout, stderr = running.stop(signal.SIGINT)
  assert code == 0, stderr
  assert 'Watching' in stdout and 'Stopped after 33 images' in stdout
  assert 'Traceback' not in stderr

  # Killed in the middle of a line; one image arrives meanwhile.
  with running.lines.open('a') as file:
    file.write('{"path": "')
  save(folder / 'meanwhile.png')
  running = start(folder, output)
  rows = running.wait(34)
  code, stdout, stderr = running.stop()
  assert code == 0 and 'Stopped after 1 images' in stdout, stderr
  assert os.path.basename(rows[-1]['path']) == 'meanwhile.png'
  table = (output / 'predictions.csv').read_text().splitlines()
  assert len(table) == 35
  overlays = [path.name for path in (output / 'overlays').rglob('*.jpg')]
  assert len(overlays) == 33


@pytest.mark.slow
def test_a_file_that_stays_unreadable_gets_a_row_with_the_error(
  start, tmp_path
):
  folder, output = tmp_path / 'in', tmp_path / 'out'
  folder.mkdir()
  (folder / 'half.png').write_bytes(b'\x89PNG\r\n')
  running = start(folder, output)
  (row,) = running.wait(1)
  assert 'half.png' in row['error']
  save(folder / 'half.png')
  assert running.wait(2)[-1]['error'] is None
  assert running.stop()[0] == 0


@pytest.mark.parametrize('folder', ['no/such/folder', 'a.png', '*.png'])
def test_watch_needs_a_folder(folder, tmp_path):
  save(tmp_path / 'a.png')
  with pytest.raises(DataError, match='is not a folder'):
    watch(made_up_detector(), str(tmp_path / folder), tmp_path / 'out')
  assert not (tmp_path / 'out').exists()

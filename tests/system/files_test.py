"""Tables that spreadsheets read, and the home folder."""

import csv

from afgan_jax.system.files import expand_home, write_table


def test_a_mark_precedes_tables_that_are_not_ascii(tmp_path):
  path = tmp_path / 'scores.csv'
  write_table(path, 'path,score\nstraße/ü.png,1\n')
  content = path.read_bytes()
  # Without it Excel shows straÃŸe.
  assert content.startswith(b'\xef\xbb\xbfpath,score\n')
  assert content[3:].decode('utf-8') == 'path,score\nstraße/ü.png,1\n'
  with path.open(encoding='utf-8-sig') as file:
    assert list(csv.DictReader(file)) == [
      {'path': 'straße/ü.png', 'score': '1'}
    ]


def test_ascii_tables_are_plain(tmp_path):
  path = tmp_path / 'scores.csv'
  write_table(path, 'path,score\na.png,1\n')
  assert path.read_bytes() == b'path,score\na.png,1\n'


def test_bytes_that_are_no_text_are_escaped(tmp_path):
  path = tmp_path / 'scores.csv'
  write_table(path, 'path\na\udcff.png\n')
  assert path.read_bytes() == b'path\na\\udcff.png\n'


def test_a_tilde_is_the_home_folder_unless_it_is_a_name(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', '/home/anna')
  monkeypatch.chdir(tmp_path)
  assert expand_home('~') == '/home/anna'
  assert expand_home('~/runs/x') == '/home/anna/runs/x'
  assert expand_home('runs/~x') == 'runs/~x'
  (tmp_path / '~').mkdir()
  assert expand_home('~') == '~'

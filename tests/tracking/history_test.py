import json

import pytest

from afgan_jax.tracking.event_writer import EventWriter
from afgan_jax.tracking.history import HistoryWriter, read_history


def _write(workdir, entries):
  with HistoryWriter(workdir) as history:
    for step, losses in entries.items():
      history.write(step, losses)


def test_each_step_is_a_line_of_json(tmp_path):
  _write(tmp_path / 'run', {10: {'a': 0.5, 'b': 1 / 3}, 20: {'a': 0.25}})
  text = (tmp_path / 'run' / 'history.jsonl').read_text()
  first, second = map(json.loads, text.splitlines())
  assert first['step'] == 10 and first['losses'] == {'a': 0.5, 'b': 1 / 3}
  assert second['step'] == 20 and second['losses'] == {'a': 0.25}
  assert 1.7e9 < first['time'] <= second['time']


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path):
  with HistoryWriter(tmp_path) as history:
    history.write(1, {'a': 0.1})
    assert read_history(tmp_path) == {'a': ([1], [0.1])}


def test_steps_made_twice_have_the_values_of_the_second_time(tmp_path):
  _write(tmp_path, {1: {'a': 1.0}, 2: {'a': 2.0}, 3: {'a': 3.0}})
  _write(tmp_path, {2: {'a': 20.0, 'b': 5.0}})
  assert read_history(tmp_path) == {
    'a': ([1, 2, 3], [1.0, 20.0, 3.0]),
    'b': ([2], [5.0]),
  }
  assert read_history(tmp_path, before=2) == {'a': ([1], [1.0])}
  assert read_history(tmp_path, before=1) == {}


@pytest.mark.parametrize('cut', [1, 2, 25])
def test_a_line_that_a_kill_cut_off_costs_no_other(tmp_path, cut):
  path = tmp_path / 'history.jsonl'
  _write(tmp_path, {1: {'a': 1.0}, 2: {'a': 2.0}})
  path.write_bytes(path.read_bytes()[:-cut])
  whole = 2 if cut == 1 else 1  # The end of the line is not of the entry.
  assert read_history(tmp_path)['a'][0] == [1, 2][:whole]
  _write(tmp_path, {3: {'a': 3.0}})
  assert read_history(tmp_path)['a'][0] == [1, 2][:whole] + [3]


def test_lines_of_others_are_passed_over(tmp_path):
  path = tmp_path / 'history.jsonl'
  lines = ['3', '{}', '{"step": 1, "losses": 2}', '{"step": 2}', 'null', '']
  lines += ['{"step": Infinity, "losses": {}}', '{"step": 3, "losses": [1]}']
  lines += ['{"step": 4, "losses": {"a": "x"}}', '{"step": 5, "losses": {}}']
  content = '\n'.join(lines).encode() + b'\n\xff\n\0\n'
  path.write_bytes(content + b'{"step": 6, "losses": {"a": 0.5}}\n')
  assert read_history(tmp_path) == {'a': ([6], [0.5])}


def test_values_that_are_not_finite_are_left_out(tmp_path):
  values = {'a': float('nan'), 'b': float('inf'), 'c': 1.0}
  _write(tmp_path, {1: values})
  path = tmp_path / 'history.jsonl'
  assert json.loads(path.read_text())['losses'] == {'c': 1.0}
  with path.open('a') as file:  # As Python's json has them.
    file.write('{"step": 2, "losses": {"a": NaN, "b": -Infinity, "c": 2}}\n')
  assert read_history(tmp_path) == {'c': ([1, 2], [1.0, 2.0])}


def test_a_run_without_anything_has_no_curves(tmp_path):
  assert read_history(tmp_path / 'none') == {}
  _write(tmp_path, {})
  assert read_history(tmp_path) == {}


def test_a_run_of_an_older_version_has_its_event_files(tmp_path):
  with EventWriter(tmp_path / 'tensorboard') as writer:
    writer.scalars(1, {'loss/a': 0.5, 'metrics/x': 9.0})
    writer.scalars(2, {'loss/a': 0.25, 'loss/b': float('nan')})
    writer.scalars(3, {'loss/a': 0.125, 'loss/b': 4.0})
  old = {'a': ([1, 2, 3], [0.5, 0.25, 0.125]), 'b': ([3], [4.0])}
  assert read_history(tmp_path) == old
  assert read_history(tmp_path, before=3) == {'a': ([1, 2], [0.5, 0.25])}
  assert not (tmp_path / 'history.jsonl').exists()  # Reading leaves no trace.

  # Continued from step 2, with step 3 made again.
  _write(tmp_path, {3: {'a': 7.0}, 4: {'a': 8.0}})
  new = {'a': ([1, 2, 3, 4], [0.5, 0.25, 7.0, 8.0]), 'b': ([3], [4.0])}
  assert read_history(tmp_path) == new
  # From here on the event files are for TensorBoard alone.
  for path in (tmp_path / 'tensorboard').iterdir():
    path.unlink()
  assert read_history(tmp_path) == new

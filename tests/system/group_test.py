"""Processes of a run are threads here, with a store in memory."""

import asyncio
import contextlib
import signal
import threading
import time

import numpy as np
import pytest

from afgan_jax.system import files, group, processes
from afgan_jax.system.errors import (
  ProcessesDiffer,
  ProcessLost,
  ProcessStopped,
)
from afgan_jax.system.group import Group


class MemoryStore:
  """Keys and values of threads, with the errors of jaxlib's client."""

  def __init__(self):
    self.values = {}
    self.is_gone = False
    self._changed = threading.Condition()

  def _check(self):
    if self.is_gone:
      raise RuntimeError('UNAVAILABLE: failed to connect')

  def key_value_set(self, key, value, *, allow_overwrite=False):
    self._check()
    with self._changed:
      assert allow_overwrite or key not in self.values
      self.values[key] = value
      self._changed.notify_all()

  def key_value_dir_get(self, key):
    self._check()
    with self._changed:
      return [(k, v) for k, v in self.values.items() if k.startswith(key)]

  def blocking_key_value_get(self, key, timeout_in_ms):
    self._check()
    with self._changed:
      found = self._changed.wait_for(
        lambda: key in self.values, timeout_in_ms / 1000
      )
      if not found:
        raise RuntimeError('DEADLINE_EXCEEDED: GetKeyValue() timed out')
      return self.values[key]

  def key_value_delete(self, key):
    self._check()
    with self._changed:
      self.values.pop(key, None)


@pytest.fixture
def quick(monkeypatch):
  for name, seconds in (('PERIOD', 0.05), ('SILENCE', 0.4), ('GRACE', 0.1)):
    monkeypatch.setattr(group, name, seconds)


def in_threads(work, count=3, store=None):
  """Runs `work(group)` in as many threads; returns results or errors."""
  store = store or MemoryStore()
  results = [None] * count

  def run(index):
    try:
      results[index] = work(Group(store, index, count))
    except Exception as error:
      results[index] = error

  threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join(20)
    assert not thread.is_alive()
  return results


def test_all_get_the_values_of_all_again_and_again():
  store = MemoryStore()

  def work(mine):
    rng = np.random.default_rng(mine.index)
    got = []
    for number in range(20):
      time.sleep(rng.uniform(0, 0.01))
      got.append(mine.agree('number', [mine.index, number]))
    return got

  expected = [[[0, n], [1, n], [2, n]] for n in range(20)]
  assert in_threads(work, store=store) == [expected] * 3
  assert len(store.values) <= 6  # Old ones are deleted.


def test_processes_at_different_points_do_not_take_each_others_values():
  results = in_threads(lambda mine: mine.agree(f'at {mine.index % 2}', 1))
  assert all(isinstance(result, RuntimeError) for result in results)


def test_a_process_that_fails_is_named_with_its_reason(quick):
  ended = []

  def work(mine):
    mine.watch(ended.append)
    if mine.index == 1:
      mine.fail('The disk is full.')
      return None
    return mine.agree('step', 1)

  first, _, third = in_threads(work)
  for error in (first, third):
    assert isinstance(error, ProcessLost)
    assert 'Process 1' in str(error) and 'The disk is full.' in str(error)
  time.sleep(0.4)
  assert len(ended) == 2  # Had they not ended by themselves.


def test_a_process_that_is_killed_is_noticed(quick):
  def work(mine):
    if mine.index == 2:
      return None  # Gives no sign of life.
    mine.watch(lambda reason: None)
    return mine.agree('step', 1)

  first, second, _ = in_threads(work)
  for error in (first, second):
    assert isinstance(error, ProcessLost) and 'Process 2' in str(error)


def test_the_watch_ends_a_process_that_waits_for_a_device(quick):
  reasons = []

  def work(mine):
    if mine.index == 1:
      return None
    mine.watch(lambda reason: reasons.append((mine.index, reason)))
    time.sleep(1.5)  # As in a computation with a lost process.
    return None

  in_threads(work)
  assert sorted(index for index, _ in reasons) == [0, 2]


def test_a_store_that_is_gone_is_a_lost_process_0(quick):
  store = MemoryStore()
  store.is_gone = True
  results = in_threads(lambda mine: mine.agree('step', 1), store=store)
  assert all('Process 0' in str(result) for result in results)


def test_all_end_together_and_are_not_lost_afterwards(quick):
  ended = []

  def work(mine):
    mine.watch(ended.append)
    time.sleep(0.1 * mine.index)
    mine.finish()
    mine.leave(seconds=2)
    return mine.index

  assert in_threads(work) == [0, 1, 2]
  time.sleep(0.8)
  assert not ended


def test_a_signal_is_heeded_by_saving_and_by_ending(quick):
  alone = Group(MemoryStore(), 0, 1)
  assert not alone.heeds_signal(0.01)
  alone.heed_signal()
  assert alone.heeds_signal(0)
  for end in (lambda mine: mine.fail('It ends.', 0), Group.finish):
    mine = Group(MemoryStore(), 0, 1)
    end(mine)
    assert mine.heeds_signal(0)


@pytest.fixture
def joined(monkeypatch):
  """Makes the test one of two processes; the other has said `answers`."""

  def join(index, *answers):
    store = MemoryStore()
    for number, answer in enumerate(answers):
      store.values[f'afgan/agree/{number}/{1 - index}'] = answer
    monkeypatch.setattr(processes, '_groups', [Group(store, index, 2)])

  return join


def test_only_process_0_writes(joined, tmp_path):
  joined(1)
  files.write_text(tmp_path / 'a', 'text')
  files.write_table(tmp_path / 'b', 'text')
  assert not list(tmp_path.iterdir())
  joined(0)
  files.write_text(tmp_path / 'a', 'text')
  assert (tmp_path / 'a').read_text() == 'text'


def test_a_fact_that_differs_is_named(joined):
  joined(0, '["start", {"config.seed": 1, "config.batch_size": 8}]')
  with pytest.raises(ProcessesDiffer, match=r'config\.seed is 0.*1 in process'):
    processes.check_same({'config.seed': 0, 'config.batch_size': 8})


def test_other_images_are_found(joined):
  joined(0, '["images", [2, "0123"]]')
  with pytest.raises(ProcessesDiffer, match='Process 1'):
    processes.check_same_images('images', np.zeros((2, 4, 4, 3), np.uint8))


def test_a_process_that_is_alone_agrees_with_itself():
  assert processes.count() == 1 and processes.is_writer()
  assert processes.agree('anything', 7) == [7]
  processes.check_same_images('images', np.zeros(3))


def test_a_loop_of_asyncio_does_not_go_on_after_a_signal():
  def stop():
    raise ProcessStopped(signal.SIGTERM)

  with contextlib.closing(asyncio.new_event_loop()) as loop:
    loop.call_soon(stop)
    loop.call_later(60, loop.stop)
    with pytest.raises(ProcessStopped, match='SIGTERM'):
      loop.run_forever()

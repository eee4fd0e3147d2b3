"""Images of several requests are scored together, and none sees the others."""

import threading
import time
from concurrent import futures

import numpy as np
import pytest

from afgan_jax.service.batcher import Batcher, ScoringFailed
from afgan_jax.service.limits import Limits
from tests.support.made_up import made_up_detector, part, score
from tests.support.service import encode, running, wait_until


class Recorder:
  """Scores numbers by doubling them, and remembers the batches."""

  def __init__(self, seconds=0.0):
    self.batches, self.gate = [], threading.Event()
    self.gate.set()
    self._seconds = seconds

  def __call__(self, images):
    self.gate.wait(10)
    time.sleep(self._seconds)
    self.batches.append(list(images))
    if any(image < 0 for image in images):
      raise ValueError('below zero')
    return [(2.0 * image, np.zeros(1)) for image in images]


def results(pending):
  return [future.result(10)[0] for future in pending]


def test_a_full_batch_does_not_wait():
  record = Recorder()
  batcher = Batcher(record, max_batch=3, deadline_s=60)
  assert results([batcher.submit(n) for n in (1, 2, 3)]) == [2, 4, 6]
  assert record.batches == [[1, 2, 3]]
  batcher.stop()
  batcher.join()


def test_a_lonely_image_waits_for_the_deadline_only():
  record = Recorder()
  batcher = Batcher(record, max_batch=8, deadline_s=0.2)
  start = time.monotonic()
  assert results([batcher.submit(5)]) == [10]
  assert 0.19 < time.monotonic() - start < 5
  batcher.stop()


def test_what_arrives_meanwhile_is_the_next_batch():
  record, sizes = Recorder(), []
  batcher = Batcher(record, 4, 0, lambda size, seconds: sizes.append(size))
  record.gate.clear()
  pending = [batcher.submit(1)]
  wait_until(lambda: not len(batcher))
  pending += [batcher.submit(n) for n in range(2, 8)]
  assert len(batcher) == 6
  record.gate.set()
  assert results(pending) == [2.0 * n for n in range(1, 8)]
  assert sizes == [1, 4, 2]
  batcher.stop()


def test_one_image_that_fails_does_not_harm_its_company():
  record = Recorder()
  batcher = Batcher(record, max_batch=3, deadline_s=60)
  first, bad, last = (batcher.submit(n) for n in (1, -1, 3))
  assert results([first, last]) == [2, 6]
  with pytest.raises(ScoringFailed, match='below zero'):
    bad.result(10)
  assert results([batcher.submit(n) for n in (1, 2, 3)]) == [2, 4, 6]
  batcher.stop()


def test_what_nobody_waits_for_is_not_scored():
  record = Recorder()
  batcher = Batcher(record, max_batch=2, deadline_s=60)
  left = batcher.submit(1, lambda: False)
  assert results([batcher.submit(2)]) == [4]
  assert left.cancelled() and record.batches == [[2]]
  batcher.stop()


def test_the_queue_is_emptied_at_the_end():
  record = Recorder(0.01)
  batcher = Batcher(record, max_batch=2, deadline_s=60)
  pending = [batcher.submit(n) for n in range(5)]
  batcher.stop()
  assert results(pending) == [0, 2, 4, 6, 8]
  batcher.join()
  with pytest.raises(RuntimeError):
    batcher.submit(1)


def test_answers_do_not_depend_on_the_company(tmp_path):
  rng = np.random.default_rng(0)
  images = [
    rng.integers(0, 256, (rng.integers(8, 60), 40, 3), np.uint8)
    for _ in range(24)
  ]
  detector = made_up_detector(0.6)
  expected = [detector.predict(image) for image in images]
  limits = Limits(deadline_ms=20, max_batch=8)
  with running(
    tmp_path, lambda _: made_up_detector(0.6), limits=limits
  ) as client:
    with futures.ThreadPoolExecutor(12) as pool:
      answers = list(pool.map(client.predict, images))
    sizes = client.send('GET', '/metrics').text
  for answer, prediction in zip(answers, expected, strict=True):
    assert answer['score'] == prediction.score
    assert answer['probability'] == prediction.probability
    assert answer['verdict'] == prediction.verdict
    assert answer['regions'] == prediction.regions
  assert 'afgan_batch_size_count{model="one"} 24.0' not in sizes  # Together.


def test_the_last_digit_of_a_batch_decides_no_verdict(tmp_path):
  # A runtime whose scores depend a little on the size of the batch.
  threshold = np.float32(155 / 255)

  def scored(pixels, regions=None):
    found = score(pixels)
    noise = np.float32(1e-7 * (len(pixels) - 1))
    return {**found, 'score': found['score'] + noise}

  def load(_):
    return made_up_detector(float(threshold), score=scored)

  assert load(None).predict(part()).verdict == 'good'
  limits = Limits(deadline_ms=50, max_batch=8)
  with running(tmp_path, load, limits=limits) as client:
    with futures.ThreadPoolExecutor(8) as pool:
      answers = list(pool.map(client.predict, [part()] * 8))
    metrics = client.send('GET', '/metrics').text
  assert 'afgan_batch_size_count{model="one"} 8.0' not in metrics  # Together.
  assert {answer['verdict'] for answer in answers} == {'good'}
  assert {answer['score'] for answer in answers} == {float(threshold)}


def slow_score(seconds):
  def scored(pixels, regions=None):
    time.sleep(seconds)
    return score(pixels)

  return lambda _: made_up_detector(score=scored)


def test_a_full_queue_is_told_with_a_time(tmp_path):
  limits = Limits(max_queue=2, max_batch=1, deadline_ms=0)
  load = slow_score(0.3)
  with running(tmp_path, load, limits=limits) as client:
    with futures.ThreadPoolExecutor(2) as pool:
      first = [pool.submit(client.predict, part()) for _ in range(2)]
      wait_until(lambda: client.service.model(None).loaded.pending == 2)
      response = client.send('POST', '/predict', 429, content=encode(part()))
      assert 1 <= int(response.headers['retry-after']) <= 60
      assert 'queue is full' in response.json()['error']
      assert all(one.result()['verdict'] == 'defective' for one in first)
    assert client.predict(part())['verdict'] == 'defective'


def test_an_answer_that_takes_too_long_is_503(tmp_path):
  limits = Limits(timeout_s=0.1, deadline_ms=0, max_batch=1)
  delays = [0, 0.5, 0]

  def scored(pixels, regions=None):
    time.sleep(delays.pop(0) if delays else 0)
    return score(pixels)

  with running(
    tmp_path, lambda _: made_up_detector(score=scored), limits=limits
  ) as client:
    sentence = client.error('POST', '/predict', 503, content=encode(part()))
    assert '0.1 s' in sentence
    loaded = client.service.model(None).loaded
    wait_until(lambda: loaded.pending == 0)
    assert client.predict(part())['verdict'] == 'defective'


def test_an_image_that_cannot_be_scored_is_500(tmp_path):
  calls = []

  def scored(pixels, regions=None):
    calls.append(len(pixels))
    if len(calls) == 2:
      raise MemoryError('too large')
    return score(pixels)

  with running(tmp_path, lambda _: made_up_detector(score=scored)) as client:
    sentence = client.error('POST', '/predict', 500, content=encode(part()))
    assert 'too large' in sentence
    assert client.predict(part())['verdict'] == 'defective'

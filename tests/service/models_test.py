"""Models are swapped and thresholds set while requests are answered."""

import dataclasses
import json
import threading
import time

import pytest

from afgan_jax.service.limits import Limits
from afgan_jax.service.names import find_places
from afgan_jax.service.thresholds import Thresholds
from afgan_jax.system.errors import MissingThreshold, UsageError
from tests.support.made_up import made_up_detector, part, score
from tests.support.service import (
  SIGNED,
  TOKEN,
  encode,
  make_service,
  running,
  wait_until,
)

TOKENS = {'ann': TOKEN}


def load_file(folder):
  """Loads a detector whose threshold stands in the folder."""
  path = folder / 'calibration.json'
  if not path.exists():
    return made_up_detector()
  try:
    return made_up_detector(json.loads(path.read_text())['threshold'])
  except ValueError as error:
    raise MissingThreshold(f'{path} is damaged.') from error


def write(folder, text):
  temporary = folder / 'new'
  temporary.write_text(text)
  temporary.replace(folder / 'calibration.json')


def test_a_changed_folder_is_reloaded(tmp_path):
  with running(tmp_path, load_file, poll_s=0.02) as client:
    before = client.predict(part())
    assert before['threshold'] == 0.2
    write(tmp_path / 'one', '{"threshold": 0.9}')
    wait_until(lambda: client.predict(part())['threshold'] == 0.9)
    after = client.predict(part())
    assert after['verdict'] == 'good' and after['version'] != before['version']
  line = client.log.lines('model')[-1]
  assert (line['who'], line['model']) == ('folder', 'one')
  assert (line['before'], line['after']) == (
    before['version'],
    after['version'],
  )


def test_a_broken_model_leaves_the_old_one_in_service(tmp_path):
  with running(tmp_path, load_file, poll_s=0.02) as client:
    write(tmp_path / 'one', '{"threshold": ')
    health = wait_until(
      lambda: client.send('GET', '/v2/health/ready').json()['problems']
    )
    assert 'damaged' in health['one']
    assert client.predict(part())['threshold'] == 0.2
    (model,) = client.send('GET', '/api/models').json()
    assert 'damaged' in model['problem']
    metrics = client.send('GET', '/metrics').text
    assert 'afgan_reload_failed{model="one"} 1.0' in metrics
    write(tmp_path / 'one', '{"threshold": 0.8}')
    wait_until(lambda: client.predict(part())['threshold'] == 0.8)
    assert not client.send('GET', '/v2/health/ready').json()['problems']
  errors = [line for line in client.log.lines('model') if 'error' in line]
  assert len(errors) == 1 and 'damaged' in errors[0]['error']  # Once.


def test_the_old_files_end_the_problem(tmp_path):
  with running(tmp_path, load_file, poll_s=0.02) as client:
    write(tmp_path / 'one', 'x')
    model = client.service.model(None)
    wait_until(lambda: model.problem)
    (tmp_path / 'one' / 'calibration.json').unlink()
    wait_until(lambda: not model.problem)


def test_a_problem_of_a_reload_by_hand_stays(tmp_path):
  models = iter([made_up_detector()])
  with running(
    tmp_path, lambda _: next(models), tokens=TOKENS, poll_s=0.01
  ) as client:
    client.error('POST', '/admin/reload', 409, headers=SIGNED)
    time.sleep(0.1)
    assert client.send('GET', '/v2/health/ready').json()['problems']


def test_a_state_that_cannot_be_written_keeps_no_new_model_out(tmp_path):
  thresholds = iter([0.2, 0.5])
  state = tmp_path / 'state'
  options = {'tokens': TOKENS, 'state': state}
  with running(
    tmp_path, lambda _: made_up_detector(next(thresholds)), **options
  ) as client:
    put(client, {'threshold': 0.7})
    (state / 'thresholds.json').unlink()
    state.rmdir()
    state.write_text('a file')
    client.send('POST', '/admin/reload', headers=SIGNED)
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.5
  assert client.log.lines('failure')


def test_no_request_is_dropped_while_models_are_swapped(tmp_path):
  seconds = 0.005

  def scored(pixels, regions=None):
    time.sleep(seconds)
    return score(pixels)

  thresholds = iter([0.2] + [0.3, 0.4] * 50)

  def load(_):
    return made_up_detector(next(thresholds), score=scored)

  with running(tmp_path, load, tokens=TOKENS) as client:
    answers, stop = [], threading.Event()

    def ask():
      while not stop.is_set():
        answers.append(client.predict(part(), headers=SIGNED))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
      thread.start()
    for _ in range(10):
      client.send('POST', '/admin/reload', headers=SIGNED)
      time.sleep(0.02)
    stop.set()
    for thread in threads:
      thread.join()
  assert {answer['threshold'] for answer in answers} >= {0.3, 0.4}
  # Each answer has version and threshold of one and the same model.
  pairs = {(answer['version'], answer['threshold']) for answer in answers}
  assert len(pairs) == len({version for version, _ in pairs}) <= 3
  assert all(answer['verdict'] == 'defective' for answer in answers)


def test_the_thread_of_an_old_model_ends(tmp_path):
  with running(tmp_path, tokens=TOKENS) as client:
    old = client.service.model(None).loaded
    client.send('POST', '/admin/reload?model=one', headers=SIGNED)
    assert client.service.model(None).loaded is not old
    old._batcher.join()


def test_a_failed_reload_is_answered_409(tmp_path):
  models = iter([made_up_detector()])
  with running(tmp_path, lambda _: next(models), tokens=TOKENS) as client:
    sentence = client.error('POST', '/admin/reload', 409, headers=SIGNED)
    assert "'one'" in sentence and 'still is' in sentence
    client.error('POST', '/admin/reload?model=x', 404, headers=SIGNED)
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.2


def put(client, value, status=200, **options):
  path = '/api/models/one/threshold'
  options.setdefault('headers', SIGNED)
  return client.send(
    'PUT', path, status, content=json.dumps(value), **options
  ).json()


def test_a_threshold_is_set_stored_and_taken_back(tmp_path):
  options = {'tokens': TOKENS, 'state': tmp_path / 'state'}
  with running(tmp_path, **options) as client:
    model = put(client, {'threshold': 0.7})
    assert (model['threshold'], model['model_threshold']) == (0.7, 0.2)
    assert 'by hand' in model['guarantee']
    answer = client.predict(part(), headers=SIGNED)
    assert answer['verdict'] == 'good' and answer['threshold'] == 0.7
    assert answer['version'] == model['version']
  line = client.log.lines('threshold')[-1]
  assert (line['who'], line['before'], line['after']) == ('ann', 0.2, 0.7)
  assert not list((tmp_path / 'one').iterdir())
  with running(tmp_path, **options) as client:  # A new process.
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.7
    assert put(client, {'threshold': None})['threshold'] == 0.2
  with running(tmp_path, **options) as client:
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.2


def test_without_a_state_a_threshold_is_kept_in_memory(tmp_path):
  with running(tmp_path, tokens=TOKENS) as client:
    put(client, {'threshold': 0.7})
    client.send('POST', '/admin/reload', headers=SIGNED)  # The same model.
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.7
  with running(tmp_path, tokens=TOKENS) as client:
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.2


def test_another_model_does_not_get_the_threshold_of_the_last(tmp_path):
  thresholds = iter([0.2, 0.5, 0.6])
  options = {'tokens': TOKENS, 'state': tmp_path / 'state'}

  def load(_):
    return made_up_detector(next(thresholds))

  with running(tmp_path, load, **options) as client:
    put(client, {'threshold': 0.7})
    client.send('POST', '/admin/reload', headers=SIGNED)
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.5
    line = client.log.lines('threshold')[-1]
    assert (line['before'], line['after']) == (0.7, 0.5)
    put(client, {'threshold': 0.8})
  with running(tmp_path, load, **options) as client:
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.6
    assert 'left out' in client.log.lines('threshold')[-1]['error']


@pytest.mark.parametrize(
  'value', [{}, {'threshold': 'x'}, {'threshold': True}, [], {'x': 1}]
)
def test_wrong_thresholds(tmp_path, value):
  with running(tmp_path, tokens=TOKENS) as client:
    put(client, value, 400)
    for text in ('', 'x', '{"threshold": NaN}', '{"threshold": 1e999}'):
      path = '/api/models/one/threshold'
      client.error('PUT', path, 400, content=text, headers=SIGNED)
    path = '/api/models/two/threshold'
    client.error('PUT', path, 404, content='{}', headers=SIGNED)
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.2


def test_models_that_cannot_be_served_are_told_in_a_sentence(tmp_path):
  def without_threshold(_):
    return dataclasses.replace(made_up_detector(), calibration=None)

  def damaged(_):
    raise RuntimeError('two\nlines')

  def cannot_score(_):
    return made_up_detector(score=lambda pixels, regions: 1 / 0)

  for load, words in (
    (without_threshold, 'no threshold'),
    (damaged, 'two'),
    (cannot_score, 'division'),
  ):
    with pytest.raises(UsageError, match=words) as error:
      make_service(tmp_path, load)
    assert "'one'" in str(error.value) and '\n' not in str(error.value)


def test_names_of_models(tmp_path):
  for name in ('good', 'a=b', 'ä'):
    (tmp_path / name).mkdir()
  assert find_places([tmp_path / 'good']) == [('good', tmp_path / 'good')]
  (place,) = find_places([f'x={tmp_path}/a=b'])
  assert place == ('x', tmp_path / 'a=b')
  for models, words in (
    ([], 'no model'),
    ([tmp_path / 'nix'], 'does not exist'),
    ([f'x={tmp_path}/nix'], 'does not exist'),
    ([tmp_path / 'ä'], 'NAME=FOLDER'),
    ([tmp_path / 'a=b'], 'NAME=FOLDER'),
    ([f'a/b={tmp_path}'], 'NAME=FOLDER'),
    ([tmp_path / 'good', tmp_path / 'good'], 'Two models'),
  ):
    with pytest.raises(UsageError, match=words):
      find_places(models)


@pytest.mark.parametrize(
  'text', ['', '[]', '{"a": 1}', '{"a": {"threshold": 1}}', '{"a": {"thr']
)
def test_a_damaged_state_is_told(tmp_path, text):
  (tmp_path / 'thresholds.json').write_text(text)
  with pytest.raises(UsageError, match='damaged'):
    Thresholds(tmp_path)


def test_a_state_that_cannot_be_written_changes_nothing(tmp_path):
  state = tmp_path / 'state'
  with running(tmp_path, tokens=TOKENS, state=state) as client:
    state.rmdir()
    state.write_text('a file')
    sentence = put(client, {'threshold': 0.7}, 500)['error']
    assert 'cannot be stored' in sentence
    assert client.predict(part(), headers=SIGNED)['threshold'] == 0.2
  with pytest.raises(UsageError, match='state'):
    Thresholds(state)


def test_a_small_limit_of_a_model_holds(tmp_path):
  limits = Limits(max_pixels=1000)
  with running(tmp_path, limits=limits) as client:
    client.error('POST', '/predict', 413, content=encode(part()))

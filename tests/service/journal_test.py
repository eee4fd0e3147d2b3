"""The log has a line for each request, and metrics count them."""

import io
import logging
import re

import pytest

from afgan_jax.service.journal import Journal, JournalHandler
from tests.support.made_up import part
from tests.support.service import Log, encode, running


@pytest.fixture
def client(tmp_path):
  with running(tmp_path) as client:
    yield client


def test_a_request_is_a_line(client):
  image = encode(part())
  headers = {'X-Request-ID': 'line-7:42'}
  response = client.send(
    'POST', '/predict?map=1', content=image, headers=headers
  )
  assert response.headers['x-request-id'] == 'line-7:42'
  (line,) = client.log.lines('request')
  assert line['id'] == 'line-7:42' and line['client'] == '127.0.0.1'
  assert (line['method'], line['path']) == ('POST', '/predict')
  assert (line['model'], line['status']) == ('one', 200)
  assert line['verdict'] == 'defective' and line['ms'] > 0
  assert re.fullmatch(r'20\d\d-\d\d-\d\dT[\d:.]+\+00:00', line['time'])
  assert len(client.log.getvalue()) < 1000  # Without the image or the map.


@pytest.mark.parametrize('name', ['', 'a b', 'x' * 129, '"}\\', 'a/b'])
def test_odd_request_ids_are_replaced(client, name):
  response = client.send(
    'GET', '/v2/health/live', headers={'X-Request-ID': name}
  )
  assert re.fullmatch(r'[0-9a-f]{16}', response.headers['x-request-id'])


def test_no_client_can_break_a_line(client):
  client.error('GET', '/a%0A%7B%22event%22%3A%22model%22%7D', 404)
  client.error('GET', '/' + 'x' * 5000, 404)
  first, second = client.log.lines('request')
  assert first['path'] == '/a\n{"event":"model"}'
  assert len(second['path']) == 200


def samples(client):
  text = client.send('GET', '/metrics').text
  lines = [line for line in text.splitlines() if not line.startswith('#')]
  return {
    key: float(value) for key, _, value in (x.rpartition(' ') for x in lines)
  }


def test_metrics_count(client):
  for defect in (True, True, False):
    client.predict(part(defect=defect))
  client.predict(b'no image', 415)
  client.send('POST', '/predict?model=nix', 404)
  found = samples(client)
  requests = 'afgan_requests_total{model="%s",route="/predict",status="%d"}'
  assert found[requests % ('one', 200)] == 3
  assert found[requests % ('one', 415)] == 1
  assert found[requests % ('', 404)] == 1
  assert found['afgan_verdicts_total{model="one",verdict="defective"}'] == 2
  assert found['afgan_verdicts_total{model="one",verdict="good"}'] == 1
  seconds = 'afgan_request_seconds_count{model="one",route="/predict"}'
  assert found[seconds] == 4
  assert found['afgan_batch_size_sum{model="one"}'] == 3
  assert found['afgan_queue_length{model="one"}'] == 0
  assert found['afgan_pending_images{model="one"}'] == 0
  assert found['afgan_pending_bytes'] == 0
  assert found['afgan_threshold{model="one"}'] == 0.2
  # The scores are 0.608 twice and 0: at the threshold 0.2 the good one ends.
  assert found['afgan_score_bucket{le="0.2",model="one"}'] == 1
  assert found['afgan_score_bucket{le="+Inf",model="one"}'] == 3
  assert any(re.match('afgan_model_info.*version="7-', key) for key in found)


def test_unknown_models_make_no_series(client):
  for number in range(3):
    client.send('POST', f'/predict?model=m{number}', 404)
    client.send('GET', f'/nix{number}', 404)
  series = [key for key in samples(client) if 'requests_total' in key]
  assert len(series) == 2  # /predict and no route.


def test_other_libraries_log_lines_too():
  log = Log()
  logger = logging.Logger('other')
  logger.addHandler(JournalHandler(Journal(log)))
  try:
    raise ValueError('x')
  except ValueError:
    logger.exception('it %s', 'failed')
  (line,) = log.lines('log')
  assert line['message'] == 'it failed' and line['source'] == 'other'
  assert 'ValueError: x' in line['traceback']


def test_a_closed_stream_stops_nothing():
  stream = io.StringIO()
  stream.close()
  Journal(stream).write('request', id='x')

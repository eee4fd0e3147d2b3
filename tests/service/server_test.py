"""Sockets: slow, cut and odd requests, and the end of the program."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from afgan_jax.service import protocol
from afgan_jax.service.limits import Limits
from afgan_jax.service.server import bind
from afgan_jax.system.errors import UsageError
from tests.support.made_up import part
from tests.support.service import check_sentence, encode, listening

ROOT = pathlib.Path(__file__).parents[2]
IMAGE = encode(part())
LIMITS = Limits(
  max_megabytes=0.3, body_timeout_s=0.4, deadline_ms=0, timeout_s=5
)


@pytest.fixture(scope='module')
def port(tmp_path_factory):
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(protocol, 'HEADER_TIMEOUT_S', 0.4)
    patch.setattr(protocol, 'LINGER_S', 0.4)
    folder = tmp_path_factory.mktemp('models')
    with listening(folder, limits=LIMITS) as (number, _, _):
      yield number


@pytest.fixture
def connect():
  """Returns a function that connects to a port; closes it at the end."""
  with contextlib.ExitStack() as stack:

    def connect(port):
      address = ('127.0.0.1', port)
      plug = stack.enter_context(socket.create_connection(address, 10))
      return Line(plug)

    yield connect


@pytest.fixture(autouse=True)
def _goes_on(port):
  yield
  answer = httpx.post(f'http://127.0.0.1:{port}/predict', content=IMAGE)
  assert answer.json()['verdict'] == 'defective'


class Line:
  """A connection that sends bytes as they are."""

  def __init__(self, plug):
    self._socket, self._rest = plug, b''

  def send(self, data):
    self._socket.sendall(data)
    return self

  def close(self):
    self._socket.close()

  def half_close(self):
    self._socket.shutdown(socket.SHUT_WR)
    return self

  def read(self):
    """Reads until the other side closes; returns status and JSON."""
    data = b''
    while chunk := self._socket.recv(65536):
      data += chunk
    return parse(data)

  def read_one(self):
    """Reads one answer of known length."""
    data = self._rest
    while b'\r\n\r\n' not in data:
      data += self._socket.recv(65536)
    head, _, body = data.partition(b'\r\n\r\n')
    length = int(head.lower().split(b'content-length: ')[1].split()[0])
    while len(body) < length:
      body += self._socket.recv(65536)
    self._rest = body[length:]
    return parse(head + b'\r\n\r\n' + body[:length])


def parse(data):
  head, _, body = data.partition(b'\r\n\r\n')
  return int(head.split()[1]), json.loads(body)


def head(length, *lines, path='/predict'):
  text = f'POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n'
  return ''.join([text, *(f'{line}\r\n' for line in lines), '\r\n']).encode()


def refused(found, status):
  assert found[0] == status, found
  return check_sentence(found[1]['error'])


def test_a_slow_body_is_408(port, connect):
  line = connect(port).send(head(len(IMAGE)) + IMAGE[:20])
  assert '0.4 s' in refused(line.read(), 408)


def test_a_body_that_drips_is_408(port, connect):
  line = connect(port).send(head(1000))
  end = time.monotonic() + 5
  try:
    while time.monotonic() < end:
      line.send(b'x')
      time.sleep(0.05)
  except OSError:
    pass  # The server has closed.
  assert time.monotonic() < end


def test_a_slow_header_is_408(port, connect):
  refused(connect(port).send(b'POST /predict HTTP/1.1\r\nHost:').read(), 408)
  refused(connect(port).read(), 408)


def test_a_slow_header_of_a_second_request_is_408(port, connect):
  line = connect(port).send(head(len(IMAGE)) + IMAGE)
  assert line.read_one()[0] == 200
  refused(line.send(b'GET / HT').read(), 408)


def test_a_cut_body_is_400(port, connect):
  line = connect(port).send(head(len(IMAGE)) + IMAGE[:20]).half_close()
  refused(line.read(), 400)


def test_a_client_that_sends_all_and_closes_its_side_is_answered(port, connect):
  line = connect(port).send(head(len(IMAGE)) + IMAGE).half_close()
  status, answer = line.read()
  assert status == 200 and answer['verdict'] == 'defective'


def test_a_client_that_goes_away_harms_nobody(port, connect):
  for data in (b'', b'POST', head(9), head(len(IMAGE)) + IMAGE):
    connect(port).send(data).close()


def test_a_large_body_is_told_before_it_is_sent(port, connect):
  line = connect(port).send(head(10**12, 'Expect: 100-continue'))
  refused(line.read_one(), 413)


def test_a_large_body_is_told_while_it_is_sent(port, connect):
  lengths = 'Transfer-Encoding: chunked'
  text = f'POST /predict HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n'
  line = connect(port).send(text.encode())
  for _ in range(10):
    line.send(b'c350\r\n' + bytes(50_000) + b'\r\n')
  refused(line.read_one(), 413)


def test_who_wants_no_further_request_is_told_too(port, connect):
  lines = ('Connection: close', 'Content-Type: a/b')
  line = connect(port).send(head(1_000_000, *lines) + bytes(300_000))
  for _ in range(7):
    line.send(bytes(100_000))
  refused(line.read(), 413)


def test_who_goes_on_sending_is_disconnected(port, connect):
  line = connect(port).send(head(10**9))
  refused(line.read_one(), 413)
  with pytest.raises(OSError):
    for _ in range(100):
      line.send(bytes(10_000))
      time.sleep(0.05)


@pytest.mark.parametrize(
  'data',
  [
    b'nonsense\r\n\r\n',
    b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
    b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: x\r\nA: ' + b'a' * 1_000_000 + b'\r\n\r\n',
    b'GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n',
    b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(50),
    b'POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
    b'zz\r\n',
  ],
)
def test_what_is_no_http_is_400(port, data, connect):
  refused(connect(port).send(data).read(), 400)


def test_pipelined_requests_are_answered_in_turn(port, connect):
  request = head(len(IMAGE)) + IMAGE
  line = connect(port).send(request * 2)
  assert line.read_one()[1]['verdict'] == 'defective'
  assert line.read_one()[1]['verdict'] == 'defective'


def test_an_upgrade_to_a_websocket_is_ignored(port, connect):
  lines = ('Connection: Upgrade', 'Upgrade: websocket')
  line = connect(port).send(head(len(IMAGE), *lines) + IMAGE)
  assert line.read_one()[1]['verdict'] == 'defective'


def test_a_port_in_use_is_told_in_a_sentence(port):
  with pytest.raises(UsageError, match=f'Port {port}') as error:
    bind('127.0.0.1', port)
  check_sentence(str(error.value))
  with pytest.raises(UsageError, match='no.such.host'):
    bind('no.such.host.invalid', 0)


PROGRAM = """
import sys
sys.modules['jax'] = sys.modules['flax'] = None
from absl import flags
from afgan_jax.cli.serve_flags import serve_by_flags
from afgan_jax.system.errors import UsageError
from tests.support.light import LightDetector

flags.FLAGS(sys.argv)
try:
  serve_by_flags(lambda folder: LightDetector(seconds=0.5))
except UsageError as error:
  sys.exit(str(error))
"""


def start(folder, *arguments):
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  environment.pop('AFGAN_TOKEN', None)
  return subprocess.Popen(
    [sys.executable, '-c', PROGRAM, f'--model=one={folder}', *arguments],
    env=environment,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_after_its_answers(tmp_path, number, connect):
  process = start(tmp_path, '--port=0', '--drain_s=1')
  with process:
    lines = iter(process.stderr.readline, '')
    events = (json.loads(line) for line in lines)
    listening = next(line for line in events if line['event'] == 'listen')
    address = f'http://127.0.0.1:{listening["port"]}'
    with httpx.Client(base_url=address, timeout=20) as client:
      assert client.get('/v2/health/ready').status_code == 200
    line = connect(listening['port']).send(head(len(IMAGE)) + IMAGE)
    time.sleep(0.2)
    process.send_signal(number)
    next(line for line in events if line['event'] == 'stop')
    with httpx.Client(base_url=address, timeout=20) as client:
      assert client.get('/v2/health/ready').status_code == 503
      assert client.get('/v2/health/live').status_code == 200
      refused_now = client.post('/predict', content=IMAGE)
      assert refused_now.status_code == 503
      assert 'stopping' in refused_now.json()['error']
    status, answer = line.read_one()
    assert status == 200 and answer['verdict'] == 'defective'
    rest = process.stderr.read()
    assert process.wait(20) == 0
  assert 'Traceback' not in rest and '"failure"' not in rest


def test_a_port_in_use_ends_the_program(tmp_path, port):
  with start(tmp_path, f'--port={port}') as process:
    text = process.stderr.read()
  assert process.returncode == 1
  assert f'Port {port} of 127.0.0.1' in check_sentence(text.strip())

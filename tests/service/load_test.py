"""Many clients, and hostile ones."""

import asyncio
import json
import os
import random
import time
import zlib

import numpy as np
import pytest

from afgan_jax.service.limits import Limits
from tests.support import load
from tests.support.light import GREY, LightDetector
from tests.support.service import check_sentence, encode, listening

SECONDS = float(os.environ.get('AFGAN_LOAD_SECONDS', 600))
HOSTILE = 1000


def part():
  image = np.full((32, 48, 3), GREY, np.uint8)
  image[8:16, 8:16] = 255
  return image


IMAGE = encode(part())


def expected():
  prediction = LightDetector()
  prepared = prediction.preprocessor.prepare(part())
  ((score, _),) = prediction.score_prepared([prepared])
  return {'verdict': 'defective', 'score': float(score), 'threshold': 0.2}


def test_twenty_clients_for_three_seconds(tmp_path):
  limits = Limits(deadline_ms=2, timeout_s=10)

  def light(_):
    return LightDetector(seconds=0.002)

  with listening(tmp_path, light, limits=limits) as (port, service, _):
    data = load.request(IMAGE)
    record = asyncio.run(load.run_clients(port, data, expected(), 20, 3))
    assert service.budget.taken == 0
  assert not record.refused and len(record.seconds) > 100
  assert record.percentile(99) < limits.timeout_s


@pytest.mark.slow
def test_a_hundred_clients_for_ten_minutes(tmp_path):
  with load.served(tmp_path, '--port=0', '--timeout_s=5') as (process, port):
    data = load.request(IMAGE)
    warm = 20.0
    asyncio.run(load.run_clients(port, data, expected(), 100, warm))
    before = load.resident_bytes(process)
    record = asyncio.run(load.run_clients(port, data, expected(), 100, SECONDS))
    after = load.resident_bytes(process)
  print(
    f'{SECONDS:.0f} s: {record.describe(SECONDS)}; '
    f'{before / 1e6:.1f} MB, then {after / 1e6:.1f} MB'
  )
  assert record.percentile(99) < 5
  assert after < 1.05 * before


def form(content, name='image'):
  head = f'Content-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'
  return b'--x\r\n' + head.encode() + content + b'\r\n--x--\r\n'


def bomb():
  """Returns a PNG that claims 900 million pixels."""
  data = bytearray(encode(np.zeros((9, 9, 3), np.uint8)))
  data[16:24] = (30_000).to_bytes(4, 'big') * 2
  data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, 'big')
  return bytes(data)


BOMB = bomb()
MULTIPART = 'Content-Type: multipart/form-data; boundary=x'


def hostile(rng):
  """Returns the bytes of a request that must be refused."""
  noise = rng.randbytes(rng.randrange(1, 3000))
  cut = IMAGE[: rng.randrange(1, len(IMAGE) - 20)]
  text = json.dumps({'inputs': [{'name': 'image', 'data': [noise.hex()]}]})
  infer = {'path': '/v2/models/one/infer'}
  return rng.choice(
    [
      load.request(noise),
      load.request(cut),
      load.request(BOMB),
      load.request(b''),
      load.request(bytes(2_100_000)),
      load.request(noise, 'Content-Encoding: gzip', 'Content-Length: 9'),
      load.request(form(noise), MULTIPART),
      load.request(form(cut), MULTIPART),
      load.request(form(BOMB), MULTIPART),
      load.request(form(IMAGE, 'x'), MULTIPART),
      load.request(form(IMAGE)[:-4], MULTIPART),
      load.request(form(IMAGE), 'Content-Type: multipart/form-data'),
      load.request(IMAGE, path='/predict?model=' + noise.hex()[:60]),
      load.request(IMAGE, path='/predict?threshold=nan'),
      load.request(IMAGE, path='/' + noise.hex()[:60]),
      load.request(IMAGE, method='PUT'),
      load.request(text.encode(), **infer),
      load.request(noise, **infer),
      load.request(b'[' * 50_000, **infer),
      load.request(b'{"threshold": 1}', method='PUT', path='/admin/reload'),
      b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n'
      + cut,
      b'POST /predict HTTP/1.1\r\n' + noise.hex().encode(),
      b'\0' + noise + b'\r\n\r\n',
    ]
  )


@pytest.mark.slow
def test_a_thousand_hostile_requests(tmp_path):
  rng = random.Random(0)
  arguments = ('--port=0', '--body_timeout_s=1', '--max_megabytes=2')
  counts = {}

  async def attack(port, requests):
    for data in requests:
      status, body = await load.ask(port, data)
      assert 400 <= status < 500, (data[:200], status, body)
      check_sentence(json.loads(body)['error'])
      counts[status] = counts.get(status, 0) + 1
      status, body = await load.ask(port, load.request(IMAGE))
      assert status == 200 and json.loads(body)['verdict'] == 'defective'

  async def attack_all(port):
    requests = [hostile(rng) for _ in range(HOSTILE)]
    await asyncio.gather(
      *[attack(port, requests[start::20]) for start in range(20)]
    )

  with load.served(tmp_path, *arguments) as (process, port):
    before = load.resident_bytes(process)
    start = time.monotonic()
    asyncio.run(attack_all(port))
    seconds = time.monotonic() - start
    after = load.resident_bytes(process)
    assert process.poll() is None
  failures = [
    line
    for line in (tmp_path / 'log').read_text().splitlines()
    if json.loads(line)['event'] == 'failure'
  ]
  print(
    f'{seconds:.0f} s: {counts}; {before / 1e6:.1f} MB, then '
    f'{after / 1e6:.1f} MB'
  )
  assert not failures

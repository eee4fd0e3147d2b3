"""Clients that send requests again and again, and a program to send them to."""

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

from tests.support.service import check_sentence

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
import sys
sys.modules['jax'] = sys.modules['flax'] = None
from absl import flags
from afgan_jax.cli.serve_flags import serve_by_flags
from tests.support.light import LightDetector

flags.FLAGS(sys.argv)
serve_by_flags(lambda folder: LightDetector(seconds=0.004))
"""


@contextlib.contextmanager
def served(folder, *arguments):
  """Serves a light detector in a process; yields it and its port."""
  with (folder / 'log').open('w') as log:
    process = subprocess.Popen(
      [sys.executable, '-c', PROGRAM, f'--model=one={folder}', *arguments],
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      stderr=log,
    )
  try:
    yield process, _port(folder / 'log', process)
  finally:
    process.terminate()
    assert process.wait(30) == 0


def _port(log, process):
  while process.poll() is None:
    for line in log.read_text().splitlines():
      if '"listen"' in line:
        return json.loads(line)['port']
    time.sleep(0.05)
  raise AssertionError(log.read_text())


def resident_bytes(process):
  """Returns the memory of a process that is in use."""
  text = pathlib.Path(f'/proc/{process.pid}/status').read_text()
  return 1024 * int(text.split('VmRSS:')[1].split()[0])


def request(body, *lines, method='POST', path='/predict'):
  """Makes the bytes of a request."""
  head = [f'{method} {path} HTTP/1.1', 'Host: x', *lines]
  if not any('encoding' in line.lower() for line in lines):
    head.append(f'Content-Length: {len(body)}')
  return '\r\n'.join([*head, '', '']).encode() + body


async def read_answer(reader):
  """Reads an answer; returns status, headers and body."""
  head = await reader.readuntil(b'\r\n\r\n')
  first, *lines = head.decode().split('\r\n')[:-2]
  headers = dict(line.lower().split(': ', 1) for line in lines)
  body = await reader.readexactly(int(headers['content-length']))
  return int(first.split()[1]), headers, body


async def ask(port, data):
  """Sends bytes on a connection of their own; returns status and body."""
  reader, writer = await asyncio.open_connection('127.0.0.1', port)
  try:
    with contextlib.suppress(ConnectionError):
      writer.write(data)
      await writer.drain()
    status, _, body = await asyncio.wait_for(read_answer(reader), 30)
    return status, body
  finally:
    writer.close()
    with contextlib.suppress(ConnectionError):
      await writer.wait_closed()


@dataclasses.dataclass
class Record:
  """Holds what clients were answered.

  Attributes:
    seconds: of each answer with 200.
    refused: how many had 429 or 503.
  """

  seconds: list[float] = dataclasses.field(default_factory=list)
  refused: int = 0

  def percentile(self, share):
    return float(np.percentile(self.seconds, share))

  def describe(self, duration):
    return (
      f'{len(self.seconds) / duration:.0f} answers/s, p50 '
      f'{1000 * self.percentile(50):.0f} ms, p99 '
      f'{1000 * self.percentile(99):.0f} ms, {self.refused} refused'
    )


async def run_clients(port, data, expected, count, duration):
  """Runs clients that each wait for an answer before they ask again.

  Args:
    port: of the service.
    data: bytes of the request.
    expected: fields that each answer with 200 must have.
    count: of clients.
    duration: in seconds.

  Returns:
    What they were answered.
  """
  record, end = Record(), time.monotonic() + duration

  async def client():
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    while (start := time.monotonic()) < end:
      writer.write(data)
      await writer.drain()
      status, headers, body = await read_answer(reader)
      answer = json.loads(body)
      if status == 200:
        record.seconds.append(time.monotonic() - start)
        assert {key: answer[key] for key in expected} == expected
      else:
        assert status in (429, 503), answer
        check_sentence(answer['error'])
        record.refused += 1
        await asyncio.sleep(min(float(headers['retry-after']), 1))
    writer.close()
    await writer.wait_closed()

  await asyncio.gather(*[client() for _ in range(count)])
  return record

"""A service with made-up detectors, and a client that checks its answers."""

import asyncio
import contextlib
import io
import json
import pathlib
import re
import threading
import time

import httpx
import numpy as np
from PIL import Image

from afgan_jax.service.app import build_app
from afgan_jax.service.journal import Journal
from afgan_jax.service.limits import Limits
from afgan_jax.service.routes.openapi import description
from afgan_jax.service.server import Server, bind
from afgan_jax.service.service import Service
from tests.support.made_up import made_up_detector

DESCRIPTION = description()
TOKEN = 'a-token-of-tests'
SIGNED = {'Authorization': f'Bearer {TOKEN}'}


def encode(image: np.ndarray, kind: str = 'PNG') -> bytes:
  """Encodes an image as a file of Pillow's format `kind`."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, kind)
  return file.getvalue()


class Log(io.StringIO):
  """Holds what a journal writes."""

  def lines(self, event: str | None = None) -> list[dict]:
    lines = [json.loads(line) for line in self.getvalue().splitlines()]
    return [line for line in lines if event in (None, line['event'])]


def make_service(folder: pathlib.Path, load=None, names=('one',), **options):
  """Returns a service of models in empty folders, and its log."""
  places = []
  for name in names:
    (folder / name).mkdir(exist_ok=True)
    places.append(f'{name}={folder / name}')
  log = Log()
  options.setdefault('limits', Limits(deadline_ms=1))
  service = Service(
    places,
    load or (lambda _: made_up_detector()),
    journal=Journal(log),
    **options,
  )
  return service, log


@contextlib.contextmanager
def running(folder: pathlib.Path, load=None, *, poll_s=60.0, **options):
  """Runs a service without sockets; yields a client of it."""
  service, log = make_service(folder, load, **options)
  app = build_app(service, poll_s)
  with _loop() as run, _lifespan(app, run):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url='http://test')
    yield Client(client, run, service, log)


@contextlib.contextmanager
def _loop():
  """Runs an event loop in a thread; yields a function that runs coroutines."""
  loop = asyncio.new_event_loop()
  thread = threading.Thread(target=loop.run_forever)
  thread.start()
  try:
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30)
  finally:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@contextlib.contextmanager
def _lifespan(app, run):
  """Starts and ends what lives as long as the application."""
  inner = app._app
  context = inner.router.lifespan_context(inner)

  async def live():
    async with context:
      started.set()
      await ending.wait()

  async def begin():
    task = asyncio.create_task(live())
    await started.wait()
    return task

  async def end():
    ending.set()
    await task

  started, ending = asyncio.Event(), asyncio.Event()
  task = run(begin())
  try:
    yield
  finally:
    run(end())


@contextlib.contextmanager
def listening(folder: pathlib.Path, load=None, *, poll_s=60.0, **options):
  """Runs a service on a port, in a thread; yields port, service and log."""
  service, log = make_service(folder, load, **options)
  with bind('127.0.0.1', 0) as listener:
    port = listener.getsockname()[1]
    server = Server(service, drain_s=0, poll_s=poll_s)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
      wait_until(lambda: server.started)
      yield port, service, log
    finally:
      server.should_exit = True
      thread.join(20)
      assert not thread.is_alive()


def wait_until(is_so, seconds=10.0):
  """Waits until `is_so` returns something true, and returns that."""
  end = time.monotonic() + seconds
  while not (found := is_so()):
    assert time.monotonic() < end, 'it did not happen in time'
    time.sleep(0.01)
  return found


class Client:
  """Sends requests; each answer must be as `/openapi.json` describes it."""

  def __init__(self, client: httpx.AsyncClient, run, service, log: Log):
    self.service, self.log = service, log
    self._client, self._run = client, run

  def send(self, method: str, path: str, status: int = 200, **options):
    """Sends a request, expects a status, and returns the response."""
    response = self._run(self._client.request(method, path, **options))
    assert response.status_code == status, response.text
    check_documented(method, path, response)
    return response

  def predict(self, image, status=200, query='', **options):
    """Predicts an array or the bytes of a file; returns the JSON."""
    content = image if isinstance(image, bytes) else encode(image)
    response = self.send(
      'POST', f'/predict{query}', status, content=content, **options
    )
    return response.json()

  def error(self, method, path, status, **options) -> str:
    """Sends a request that is refused; returns the sentence."""
    answer = self.send(method, path, status, **options).json()
    assert set(answer) == {'error'}
    return check_sentence(answer['error'])


def check_sentence(text: str) -> str:
  """Checks that a text is one line that ends like a sentence."""
  assert text[0].isupper() and text.endswith('.') and '\n' not in text, text
  assert 'Traceback' not in text
  return text


def check_documented(method: str, path: str, response) -> None:
  """Checks status and JSON of a response against the description."""
  path = path.partition('?')[0]
  for template, operations in DESCRIPTION['paths'].items():
    pattern = re.sub(r'\{\w+\}', '[^/]+', template)
    if re.fullmatch(pattern, path) and method.lower() in operations:
      found = operations[method.lower()]['responses']
      assert str(response.status_code) in found, (template, response.text)
      ((kind, content),) = found[str(response.status_code)]['content'].items()
      if kind == 'application/json':
        binary = 'inference-header-content-length' in response.headers
        if not binary:
          fits(response.json(), content['schema'])
      return
  assert response.status_code in (401, 404, 405), (method, path)
  fits(response.json(), DESCRIPTION['components']['schemas']['Error'])


_KINDS = {
  'object': dict,
  'array': list,
  'string': str,
  'number': (int, float),
  'integer': int,
  'null': type(None),
  'boolean': bool,
}


def fits(value, schema) -> None:
  """Checks a JSON value against the words of JSON Schema that are used."""
  if '$ref' in schema:
    name = schema['$ref'].rpartition('/')[2]
    return fits(value, DESCRIPTION['components']['schemas'][name])
  if 'anyOf' in schema:
    errors = []
    for choice in schema['anyOf']:
      try:
        return fits(value, choice)
      except AssertionError as error:
        errors.append(error)
    raise AssertionError(errors)
  if 'enum' in schema:
    assert value in schema['enum']
    return None
  assert isinstance(value, _KINDS[schema['type']]), (value, schema)
  assert 'minimum' not in schema or schema['minimum'] <= value
  assert 'maximum' not in schema or value <= schema['maximum']
  properties = schema.get('properties', {})
  assert not set(schema.get('required', ())) - set(value if properties else ())
  if schema.get('additionalProperties') is False:
    assert set(value) <= set(properties), set(value) - set(properties)
  for name, item in properties.items():
    if name in value:
      fits(value[name], item)
  for item in value if 'items' in schema else ():
    fits(item, schema['items'])
  return None

"""A made-up inspection service that answers as the HTTP interface says."""

import asyncio
import base64
import io
import pathlib
import threading
import time

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = pathlib.Path(__file__).parents[2] / 'afgan_jax' / 'service' / 'page'
KINDS = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript'}
POLICY = "default-src 'self'; img-src 'self' data: blob:"
THRESHOLD, PIXEL_THRESHOLD = 0.5, 0.25
# Ten good images: bars from 0 to 0.2, 0.4 and 0.6.
EDGES, COUNTS = [0, 0.2, 0.4, 0.6], [5, 4, 1]
LIMIT = 100_000  # Bytes.


def model(name='part', **fields):
  """Describes a model as `/api/models` does."""
  return {
    'name': name,
    'version': '1a2b3c4d',
    'step': 800,
    'threshold': THRESHOLD,
    'pixel_threshold': PIXEL_THRESHOLD,
    'probability': {'threshold': THRESHOLD, 'scale': 0.1},
    'false_reject_rate': 0.1,
    'num_images': 10,
    'guarantee': 'At most one good image in ten will be rejected.',
    'good_scores': {'edges': EDGES, 'counts': COUNTS},
    'image_size': 64,
    'geometry': 'stretch',
    'limits': {'bytes': LIMIT, 'pixels': 10_000_000},
    'formats': ['.png', '.tif'],
    'problem': None,
    **fields,
  }


def answer(name, image):
  """Makes an answer: the score is the image's mean, from 0 to 1."""
  grey = np.asarray(image.convert('L'))
  score = float(grey.mean()) / 255
  is_defective = score > THRESHOLD
  regions = [
    {'x': 8, 'y': 4, 'width': 10, 'height': 6, 'area': 48},
    {'x': 2, 'y': 20, 'width': 3, 'height': 3, 'area': 9},
  ]
  return make_answer(
    grey / 510,
    model=name,
    version='1a2b3c4d',
    score=score,
    probability=0.93 if is_defective else 0.08,
    verdict='defective' if is_defective else 'good',
    threshold=THRESHOLD,
    pixel_threshold=PIXEL_THRESHOLD,
    regions=regions if is_defective else [],
    note='a made-up remark',
    milliseconds=12.3,
  )


def make_answer(values, **fields):
  """Makes the answer of `/predict` from a map, [height, width]."""
  low, high = float(values.min()), float(values.max())
  grey = np.rint(255 * (values - low) / ((high - low) or 1)).astype(np.uint8)
  file = io.BytesIO()
  Image.fromarray(grey).save(file, 'png')
  height, width = values.shape
  png = base64.b64encode(file.getvalue()).decode()
  return {
    **fields,
    'width': width,
    'height': height,
    'map': {'png': png, 'low': low, 'high': high},
  }


class Service:
  """Answers, and records how it was called.

  Attributes:
    models: of `/api/models`.
    token: that it asks for; None for none.
    busy: number of requests that it still refuses with 429.
    delay: seconds that an answer takes.
    calls: name of the model and of the file of each request to predict.
    most: largest number of such requests at a time.
  """

  def __init__(self, answer=answer):
    self._answer = answer
    self.reset()

  def reset(self):
    """Forgets all calls and settings."""
    self.models = [model()]
    self.token = None
    self.busy, self.delay = 0, 0.0
    self.calls = []
    self._now = self.most = 0

  def app(self):
    """Returns the ASGI application."""
    return Starlette(
      routes=[
        Route('/', _page),
        Route('/api/models', self._list),
        Route('/predict', self._predict, methods=['POST']),
        Route('/{name}', _page),
      ]
    )

  def _refusal(self, request):
    given = request.headers.get('authorization')
    if self.token is not None and given != f'Bearer {self.token}':
      return _error(401, 'A token is needed.')
    return None

  async def _list(self, request):
    return self._refusal(request) or JSONResponse(self.models)

  async def _predict(self, request):
    self._now += 1
    self.most = max(self.most, self._now)
    try:
      return self._refusal(request) or await self._inspect(request)
    finally:
      self._now -= 1

  async def _inspect(self, request):
    name = request.query_params['model']
    async with request.form() as form:
      file = form['image']
      content = await file.read()
    self.calls.append((name, file.filename))
    await asyncio.sleep(self.delay)
    if self.busy:
      self.busy -= 1
      return _error(429, 'The queue is full.', {'Retry-After': '1'})
    try:
      image = Image.open(io.BytesIO(content))
    except OSError:
      return _error(415, 'The file is not an image.')
    return JSONResponse(self._answer(name, image))


def _error(status, sentence, headers=None):
  return JSONResponse({'error': sentence}, status, headers)


async def _page(request):
  path = PAGE / request.path_params.get('name', 'index.html')
  if not path.is_file():
    return _error(404, 'There is no such path.')
  headers = {
    'Content-Security-Policy': POLICY,
    'Cache-Control': 'max-age=60',
  }
  return Response(path.read_bytes(), 200, headers, KINDS[path.suffix])


class Served:
  """Serves an application on a free port in a thread, while in context."""

  def __init__(self, app):
    import uvicorn

    settings = {'port': 0, 'log_level': 'error', 'ws': 'none'}
    self._server = uvicorn.Server(uvicorn.Config(app, **settings))
    self._thread = threading.Thread(target=self._server.run)

  def __enter__(self):
    self._thread.start()
    while not self._server.started:
      if not self._thread.is_alive():
        raise RuntimeError('The server did not start.')
      time.sleep(0.01)
    (server,) = self._server.servers
    host, port = server.sockets[0].getsockname()[:2]
    return f'http://{host}:{port}'

  def __exit__(self, *_):
    self._server.should_exit = True
    self._thread.join()

"""Serves the web page, the metrics and the description of the interface."""

import pathlib

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from afgan_jax.service.errors import Refused
from afgan_jax.service.service import Service

FOLDER = pathlib.Path(__file__).parents[1] / 'page'
INDEX = 'index.html'
_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}
_HEADERS = {
  'Content-Security-Policy': (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
  ),
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-cache',
}


def static_paths(folder: pathlib.Path = FOLDER) -> list[str]:
  """Lists the paths of the page and its files, '/' and the others."""
  found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
  names = {name for name in found if pathlib.Path(name).suffix in _TYPES}
  names |= {'page.css', 'page.js'}
  return ['/', *sorted(f'/{name}' for name in names - {INDEX})]


async def static(service: Service, request: Request) -> Response:
  """Serves a file of the page; the routes have no other paths."""
  name = request.url.path.removeprefix('/') or INDEX
  path = FOLDER / name
  try:
    content = path.read_bytes()
  except OSError as error:
    raise Refused(
      404, 'The web page is not part of this installation.'
    ) from error
  return Response(content, 200, _HEADERS, _TYPES[path.suffix])


async def metrics(service: Service, request: Request) -> Response:
  """Serves the metrics in Prometheus' text format."""
  content = generate_latest(service.metrics.registry)
  return Response(content, media_type=CONTENT_TYPE_LATEST)

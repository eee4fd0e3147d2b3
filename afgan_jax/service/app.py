"""Builds the application: its routes and what wraps them."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from afgan_jax.service.context import context_of
from afgan_jax.service.errors import Refused
from afgan_jax.service.gate import Gate, failed, refuse
from afgan_jax.service.routes import (
  admin,
  health,
  inference,
  openapi,
  page,
  predict,
)
from afgan_jax.service.service import Service
from afgan_jax.service.watching import watch

Endpoint = Callable[[Service, Request], Awaitable[Response]]
_ROUTES: dict[tuple[str, str], Endpoint] = {
  ('POST', '/predict'): predict.predict,
  ('GET', '/api/models'): predict.models,
  ('PUT', '/api/models/{model}/threshold'): admin.set_threshold,
  ('POST', '/admin/reload'): admin.reload,
  ('GET', '/v2/health/live'): health.live,
  ('GET', '/v2/health/ready'): health.ready,
  ('GET', '/v2'): inference.server,
  ('GET', '/v2/models/{model}'): inference.describe,
  ('GET', '/v2/models/{model}/ready'): inference.ready,
  ('POST', '/v2/models/{model}/infer'): inference.infer,
  ('GET', '/v2/models/{model}/versions/{version}'): inference.describe,
  ('GET', '/v2/models/{model}/versions/{version}/ready'): inference.ready,
  ('POST', '/v2/models/{model}/versions/{version}/infer'): inference.infer,
  ('GET', '/metrics'): page.metrics,
  ('GET', '/openapi.json'): openapi.describe,
}
_PUBLIC = ('/v2/health/live', '/v2/health/ready')


def routes() -> dict[tuple[str, str], Endpoint]:
  """Returns the function of each method and path."""
  static = {('GET', path): page.static for path in page.static_paths()}
  return {**static, **_ROUTES}


def build_app(service: Service, poll_s: float = 2.0) -> ASGIApp:
  """Builds the application.

  Args:
    service: its state.
    poll_s: seconds between two looks at the folders of the models.

  Returns:
    An ASGI application.
  """

  @contextlib.asynccontextmanager
  async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with watch(service.models, poll_s, service.journal):
      yield
    service.close()

  app = Starlette(
    routes=[
      Route(path, _bind(service, path, endpoint), methods=[method])
      for (method, path), endpoint in routes().items()
    ],
    exception_handlers={
      Refused: _refuse,
      HTTPException: _not_found,
      Exception: lambda request, error: failed(),
    },
    lifespan=lifespan,
  )
  app.router.redirect_slashes = False
  public = [*page.static_paths(), *_PUBLIC]
  return Gate(app, service.tokens, public, service.journal, service.metrics)


def _bind(
  service: Service, path: str, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
  @functools.wraps(endpoint)
  async def answer(request: Request) -> Response:
    context_of(request).route = path
    return await endpoint(service, request)

  return answer


def _refuse(request: Request, error: Exception) -> Response:
  assert isinstance(error, Refused)
  return refuse(error)


def _not_found(request: Request, error: Exception) -> Response:
  assert isinstance(error, HTTPException)
  path, method = request.url.path[:200], request.method
  if error.status_code == 405:
    allowed = (error.headers or {}).get('Allow', '')
    sentence = f'The address {path} takes {allowed}, not {method[:16]}.'
  else:
    sentence = f'There is nothing at {path}: /openapi.json lists all addresses.'
  return refuse(Refused(error.status_code, sentence, error.headers))

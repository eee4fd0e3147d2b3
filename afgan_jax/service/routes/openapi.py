"""Serves the description of the interface, OpenAPI 3.1."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from afgan_jax import __version__
from afgan_jax.service.answers import json_response
from afgan_jax.service.routes import schemas
from afgan_jax.service.routes.page import static_paths
from afgan_jax.service.service import Service

_MEANINGS = {
  400: 'The request is wrong.',
  401: 'A token is needed, or it is wrong.',
  403: 'The service was started without a token.',
  404: 'There is no such model, version or address.',
  405: 'The address does not take this method.',
  408: 'The body came too slowly.',
  409: 'The new model cannot be served; the old one still is.',
  413: 'Too many bytes, pixels or images.',
  415: 'The body is no image, or compressed.',
  422: 'The image is damaged, or not one that the model can take.',
  429: 'The queue or the memory is full; see Retry-After.',
  500: 'The program failed, or gave no number.',
  503: 'The service is stopping, or the answer took too long.',
}
# Of every address that needs a token.
_ALWAYS = (401, 500)
_OF_BODIES = (400, 408, 413, 415, 429)
_OF_IMAGES = (*_OF_BODIES, 404, 422, 503)


async def describe(service: Service, request: Request) -> Response:
  """Serves the description."""
  return json_response(description())


def description() -> dict[str, Any]:
  """Returns the description of all routes."""
  paths = {**_own_paths(), **_protocol_paths()}
  for path in static_paths():
    paths[path] = {
      'get': _operation('Serves the web page.', 'text/html', (404,), False)
    }
  return {
    'openapi': '3.1.0',
    'info': {
      'title': 'AFGAN-JAX inspection service',
      'version': __version__,
      'description': 'Finds defects on images. Errors are {"error": "…"}.',
      'license': {'name': 'Apache-2.0', 'identifier': 'Apache-2.0'},
    },
    'paths': dict(sorted(paths.items())),
    'components': {
      'schemas': schemas.SCHEMAS,
      'securitySchemes': {'token': {'type': 'http', 'scheme': 'bearer'}},
    },
    'security': [{'token': []}],
  }


def _own_paths() -> dict[str, Any]:
  predict = _operation('Predicts an image.', _ref('Prediction'), _OF_IMAGES) | {
    'parameters': schemas.PREDICT_PARAMETERS
  }
  predict['requestBody'] = schemas.IMAGE_BODY
  models = {'type': 'array', 'items': _ref('Model')}
  threshold = _operation(
    'Sets the threshold of a model, or goes back to its own.',
    _ref('Model'),
    (*_OF_BODIES, 403, 404),
  ) | {'parameters': [schemas.IN_PATH['model']]}
  threshold['requestBody'] = schemas.json_body('Threshold')
  reload = _operation(
    'Loads models anew.',
    {'type': 'object', 'properties': {'models': models}},
    (400, 403, 404, 409),
  ) | {'parameters': [schemas.MODEL]}
  return {
    '/predict': {'post': predict},
    '/api/models': {'get': _operation('Describes the models.', models, (400,))},
    '/api/models/{model}/threshold': {'put': threshold},
    '/admin/reload': {'post': reload},
    '/metrics': {'get': _operation('Counts, for Prometheus.', 'text/plain')},
    '/openapi.json': {
      'get': _operation('Describes this interface.', {'type': 'object'})
    },
  }


def _protocol_paths() -> dict[str, Any]:
  paths: dict[str, Any] = {
    '/v2': {'get': _operation('Describes the server.', _any(), (400,))},
    '/v2/health/live': {
      'get': _operation('Says that it lives.', _any(), (), False)
    },
    '/v2/health/ready': {
      'get': _operation('Says if it takes images.', _any(), (503,), False)
    },
  }
  for path in ('/v2/models/{model}', '/v2/models/{model}/versions/{version}'):
    named = [
      parameter
      for name, parameter in schemas.IN_PATH.items()
      if f'{{{name}}}' in path
    ]
    infer = _operation('Predicts images.', _ref('InferAnswer'), _OF_IMAGES)
    infer['requestBody'] = schemas.json_body('InferCall')
    paths[path] = {'get': _operation('Describes a model.', _any(), (400, 404))}
    paths[f'{path}/ready'] = {
      'get': _operation('Says if it takes images.', _any(), (400, 404, 503))
    }
    paths[f'{path}/infer'] = {'post': infer}
    for suffix in ('', '/ready', '/infer'):
      for operation in paths[path + suffix].values():
        operation['parameters'] = named
  return paths


def _operation(
  summary: str,
  content: str | dict[str, Any],
  errors: tuple[int, ...] = (),
  is_guarded: bool = True,
) -> dict[str, Any]:
  """Describes a route.

  Args:
    summary: a sentence.
    content: schema of the JSON of an answer with 200, or its media type.
    errors: other statuses.
    is_guarded: whether it needs the token, if there is one.
  """
  kind = content if isinstance(content, str) else 'application/json'
  schema = {'type': 'string'} if isinstance(content, str) else content
  responses = {
    '200': {'description': 'Done.', 'content': {kind: {'schema': schema}}}
  }
  statuses = {*errors, 405, *(_ALWAYS if is_guarded else (500,))}
  for status in sorted(statuses):
    responses[str(status)] = {
      'description': _MEANINGS[status],
      'content': {'application/json': {'schema': _ref('Error')}},
    }
  operation: dict[str, Any] = {'summary': summary, 'responses': responses}
  return operation if is_guarded else {**operation, 'security': []}


def _ref(name: str) -> dict[str, str]:
  return {'$ref': f'#/components/schemas/{name}'}


def _any() -> dict[str, str]:
  return {'type': 'object'}

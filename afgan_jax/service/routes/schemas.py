"""Lists the schemas of requests and answers, for OpenAPI."""

from typing import Any

_NUMBER, _TEXT, _FLAG = (
  {'type': kind} for kind in ('number', 'string', 'boolean')
)
_WHOLE = {'type': 'integer', 'minimum': 0}
_NUMBERS = {'type': 'array', 'items': _NUMBER}


def _object(
  required: dict[str, Any], optional: dict[str, Any] | None = None
) -> dict[str, Any]:
  properties = {**required, **(optional or {})}
  return {
    'type': 'object',
    'properties': properties,
    'required': list(required),
    'additionalProperties': False,
  }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
  return {'anyOf': [schema, {'type': 'null'}]}


_REGION = _object(
  {name: _WHOLE for name in ('x', 'y', 'width', 'height', 'area')}
)
_TENSOR = _object(
  {
    'name': _TEXT,
    'shape': {'type': 'array', 'items': _WHOLE},
    'datatype': {'enum': ['FP32', 'FP64', 'UINT8', 'BYTES']},
  },
  {'data': {'type': 'array'}, 'parameters': {'type': 'object'}},
)
_TENSORS = {'type': 'array', 'items': _TENSOR}
SCHEMAS: dict[str, dict[str, Any]] = {
  'Error': _object({'error': _TEXT}),
  'Prediction': _object(
    {
      'model': _TEXT,
      'version': _TEXT,
      'score': _NUMBER,
      'probability': {'type': 'number', 'minimum': 0, 'maximum': 1},
      'verdict': {'enum': ['good', 'defective']},
      'threshold': _NUMBER,
      'pixel_threshold': _NUMBER,
      'regions': {'type': 'array', 'items': _REGION},
      'width': _WHOLE,
      'height': _WHOLE,
      'note': _TEXT,
      'milliseconds': _NUMBER,
    },
    {
      'map': _object({'png': _TEXT, 'low': _NUMBER, 'high': _NUMBER}),
      'overlay': _TEXT,
    },
  ),
  'Model': _object(
    {
      'name': _TEXT,
      'version': _TEXT,
      'step': _WHOLE,
      'threshold': _NUMBER,
      'pixel_threshold': _NUMBER,
      'model_threshold': _NUMBER,
      'probability': _object({'threshold': _NUMBER, 'scale': _NUMBER}),
      'false_reject_rate': _or_null(_NUMBER),
      'num_images': _WHOLE,
      'guarantee': _TEXT,
      'good_scores': _or_null(_object({'edges': _NUMBERS, 'counts': _NUMBERS})),
      'image_size': _WHOLE,
      'geometry': _TEXT,
      'limits': _object({'bytes': _WHOLE, 'pixels': _WHOLE}),
      'formats': {'type': 'array', 'items': _TEXT},
      'problem': _or_null(_TEXT),
      'drift': _or_null(_TEXT),
    }
  ),
  'Threshold': _object({'threshold': _or_null(_NUMBER)}),
  'InferCall': _object(
    {'inputs': _TENSORS},
    {
      'id': _TEXT,
      'outputs': {'type': 'array', 'items': {'type': 'object'}},
      'parameters': {'type': 'object'},
    },
  ),
  'InferAnswer': _object(
    {'model_name': _TEXT, 'model_version': _TEXT, 'outputs': _TENSORS},
    {'id': _TEXT},
  ),
}


def _parameter(
  name: str, schema: dict[str, Any], text: str, place: str = 'query'
) -> dict[str, Any]:
  return {
    'name': name,
    'in': place,
    'required': place == 'path',
    'schema': schema,
    'description': text,
  }


MODEL = _parameter('model', _TEXT, 'Its name; default: the first or all.')
IN_PATH = {
  'model': _parameter('model', _TEXT, 'Its name.', 'path'),
  'version': _parameter('version', _TEXT, 'The one in service.', 'path'),
}
PREDICT_PARAMETERS = [
  MODEL,
  _parameter('map', _FLAG, 'Whether to add the anomaly map.'),
  _parameter('overlay', _FLAG, 'Whether to add the heat map on the image.'),
  _parameter('threshold', _NUMBER, 'Of the score, for this request alone.'),
  _parameter('page', _WHOLE, 'Of a file with several, from 0.'),
]
_FILE = {'type': 'string', 'contentMediaType': 'application/octet-stream'}
IMAGE_BODY = {
  'required': True,
  'description': 'An image file, alone or in the field "image" of a form.',
  'content': {
    'application/octet-stream': {'schema': _FILE},
    'multipart/form-data': {'schema': _object({'image': _FILE})},
  },
}


def json_body(name: str) -> dict[str, Any]:
  """Describes a body of JSON of one of `SCHEMAS`."""
  schema = {'$ref': f'#/components/schemas/{name}'}
  return {'required': True, 'content': {'application/json': {'schema': schema}}}

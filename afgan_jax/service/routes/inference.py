"""Answers the requests of the Open Inference Protocol v2 (KServe)."""

import asyncio
import functools
import math
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from afgan_jax import __version__
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.service import images, query
from afgan_jax.service.answers import describe_prediction, json_response
from afgan_jax.service.body import read_body
from afgan_jax.service.context import context_of
from afgan_jax.service.errors import Refused
from afgan_jax.service.limits import Share
from afgan_jax.service.loaded import version_of, with_threshold
from afgan_jax.service.models import Model
from afgan_jax.service.routes.predict import count
from afgan_jax.service.service import Service
from afgan_jax.service.squares import check_squares, prepare_square
from afgan_jax.service.tensors import (
  LENGTH_HEADER,
  Call,
  read_call,
  write_answer,
)
from afgan_jax.service.work import Work

_OUTPUTS = {'score': 'FP64', 'probability': 'FP64', 'verdict': 'BYTES'}
_MAP = 'map'
_PARSED = 10  # Bytes of numbers in lists for each of their text, at most.
_JSON_BYTES = 24  # Of a number in the text, at most.


async def server(service: Service, request: Request) -> Response:
  """Describes the server."""
  query.read_query(request, {})
  return json_response(
    {
      'name': 'afgan-jax',
      'version': __version__,
      'extensions': ['binary_tensor_data'],
    }
  )


async def describe(service: Service, request: Request) -> Response:
  """Describes the inputs and outputs of a model."""
  query.read_query(request, {})
  model = _model(service, request)
  size = model.loaded.preprocessor.size
  inputs = [
    {'name': 'image', 'datatype': 'BYTES', 'shape': [-1]},
    {'name': 'pixels', 'datatype': 'FP32', 'shape': [-1, size, size, 3]},
  ]
  outputs = [
    {'name': name, 'datatype': kind, 'shape': [-1]}
    for name, kind in _OUTPUTS.items()
  ]
  outputs.append({'name': _MAP, 'datatype': 'FP32', 'shape': [-1, -1, -1]})
  return json_response(
    {
      'name': model.name,
      'versions': [version_of(model.detector)],
      'platform': 'afgan_jax',
      'inputs': inputs,
      'outputs': outputs,
    }
  )


async def ready(service: Service, request: Request) -> Response:
  """Says whether a model takes images."""
  query.read_query(request, {})
  model = _model(service, request)
  service.check_running()
  return json_response({'name': model.name, 'ready': True})


async def infer(service: Service, request: Request) -> Response:
  """Predicts the images, or the pixels, of a request."""
  context = context_of(request)
  query.read_query(request, {})
  model = _model(service, request)
  service.check_running()
  with Share(service.budget) as share:
    body = await read_body(request, service.limits, share)
    call = await _read(service, request, body, share)
    wanted = _wanted(call)
    version = version_of(model.detector)
    works = _works(model, call, share)
    results = await model.loaded.run(works)
    for answer, _ in results:
      count(service, model, context, answer)
    outputs = _outputs(results, wanted, share)
    head = {
      'model_name': model.name,
      'model_version': version,
      **({} if call.id is None else {'id': call.id}),
    }
    return await asyncio.to_thread(write_answer, head, outputs)


async def _read(
  service: Service, request: Request, body: bytes, share: Share
) -> Call:
  """Reads the call in a thread, with the memory that JSON takes meanwhile."""
  needed = min(_PARSED * len(body), int(service.budget.limit / 4))
  share.take(needed)
  length = request.headers.get(LENGTH_HEADER)
  call = await asyncio.to_thread(read_call, body, length)
  share.take(-needed)
  return call


def _model(service: Service, request: Request) -> Model:
  model = service.model(request.path_params['model'])
  context_of(request).model = model.name
  asked = request.path_params.get('version')
  present = version_of(model.detector)
  if asked not in (None, present):
    raise Refused(
      404,
      f'The model {model.name!r} has no version {asked[:64]!r}, but {present}.',
    )
  return model


def _wanted(call: Call) -> dict[str, bool]:
  names = (*_OUTPUTS, _MAP)
  if call.outputs is None:
    return dict.fromkeys(names, call.is_binary)
  unknown = [name for name in call.outputs if name not in names]
  if unknown:
    raise Refused(
      400,
      f'There is no output {str(unknown[0])[:64]!r}: use {", ".join(names)}.',
    )
  return call.outputs


def _threshold(call: Call) -> float | None:
  value = call.parameters.get('threshold')
  if value is None:
    return None
  if type(value) not in (int, float) or not math.isfinite(value):
    raise Refused(400, 'The parameter "threshold" must be a number.')
  return float(value)


def _works(model: Model, call: Call, share: Share) -> list[Work]:
  detector, preprocessor = model.detector, model.loaded.preprocessor
  threshold = _threshold(call)
  if threshold is not None:
    detector = with_threshold(model.loaded.detector, threshold)

  def prepare(image: Any) -> PreparedImage:
    if isinstance(image, bytes):
      most = preprocessor.decoder.max_pixels
      prepared = images.prepare(preprocessor, image, 0, most)
      if prepared.tiles is not None:
        share.take(prepared.original.nbytes)
      return prepared
    return prepare_square(preprocessor, image)

  def finish(
    prepared: PreparedImage, score: float, values: np.ndarray
  ) -> tuple[dict[str, Any], np.ndarray]:
    return describe_prediction(detector, prepared, score, values), values

  given = call.values
  if call.name != ('image' if isinstance(given, list) else 'pixels'):
    raise Refused(
      400,
      'The input must be "image" of the datatype BYTES, or "pixels" of FP32 or '
      'UINT8.',
    )
  if not isinstance(given, list):
    check_squares(preprocessor, given)
  elif not given:
    raise Refused(400, 'The input "image" is empty: send at least one file.')
  limit = detector.require_calibration().threshold
  return [
    Work(functools.partial(prepare, image), finish, limit) for image in given
  ]


def _outputs(
  results: list[tuple[dict[str, Any], np.ndarray]],
  wanted: dict[str, bool],
  share: Share,
) -> list[tuple[str, np.ndarray | list[str], bool]]:
  outputs: list[tuple[str, np.ndarray | list[str], bool]] = []
  for name, is_binary in wanted.items():
    values: np.ndarray | list[str]
    if name == _MAP:
      maps = [values for _, values in results]
      if len({values.shape for values in maps}) > 1:
        raise Refused(
          422,
          'The maps of these images differ in size: send one image at a time, '
          'or name outputs without "map".',
        )
      share.take(sum(m.size for m in maps) * (4 if is_binary else _JSON_BYTES))
      values = np.stack(maps).astype('<f4')
    else:
      values = [answer[name] for answer, _ in results]
      if _OUTPUTS[name] == 'FP64':
        values = np.array(values, '<f8')
    outputs.append((name, values, is_binary))
  return outputs

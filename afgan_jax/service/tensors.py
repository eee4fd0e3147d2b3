"""Reads and writes tensors of the Open Inference Protocol v2.

Both forms are known: numbers in JSON, and the binary extension, in which the
bytes of the tensors follow the JSON.
"""

import base64
import binascii
import dataclasses
import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.responses import Response

from afgan_jax.service.errors import Refused

LENGTH_HEADER = 'Inference-Header-Content-Length'
_TYPES: dict[str, np.dtype] = {
  'FP32': np.dtype('<f4'),
  'FP64': np.dtype('<f8'),
  'UINT8': np.dtype('u1'),
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
# What is raised by a body of another shape.
_WRONG = (
  *(ValueError, TypeError, KeyError, AttributeError, OverflowError),
  *(RecursionError, binascii.Error, struct.error),
)
_PREFIX = struct.Struct('<I')  # Length of an element of BYTES.


@dataclasses.dataclass(frozen=True)
class Call:
  """A request for inference.

  Attributes:
    id: that of the client, or None.
    name: of the only input.
    values: of the input: numbers, or bytes [n] in a list.
    outputs: names of the wanted outputs, and whether each is binary; None for
      all.
    parameters: of the request.
  """

  id: str | None
  name: str
  values: np.ndarray | list[bytes]
  outputs: dict[str, bool] | None
  parameters: dict[str, Any]

  @property
  def is_binary(self) -> bool:
    """Whether outputs are binary that do not say so themselves."""
    return bool(self.parameters.get('binary_data_output', False))


def read_call(body: bytes, header_length: str | None) -> Call:
  """Reads the body of a request for inference.

  Args:
    body: JSON, and the bytes of binary tensors.
    header_length: value of the header that gives the length of the JSON; None
      if all is JSON.

  Raises:
    Refused: with 400, it does not follow the protocol, or has not one input.
  """
  length = len(body)
  if header_length is not None:
    if not header_length.isdecimal() or int(header_length) > length:
      raise Refused(400, f'{LENGTH_HEADER} is no length within the body.')
    length = int(header_length)
  try:
    return _call(json.loads(body[:length]), memoryview(body)[length:])
  except _WRONG as error:
    raise Refused(
      400,
      'The body does not follow the protocol: send {"inputs": [{"name", '
      '"shape", "datatype", "data"}]} with one input.',
    ) from error


def _call(fields: Any, blob: memoryview) -> Call:
  parameters = fields.get('parameters') or {}
  binary = bool(parameters.get('binary_data_output', False))
  (given,) = fields['inputs']
  wanted = {
    output['name']: bool(
      (output.get('parameters') or {}).get('binary_data', binary)
    )
    for output in fields.get('outputs') or ()
  }
  name, call_id = given['name'], fields.get('id')
  if not isinstance(name, str) or not isinstance(call_id, str | None):
    raise TypeError('a name or the id is no text')
  values = _read_tensor(given, blob)
  return Call(call_id, name, values, wanted or None, parameters)


def write_answer(
  head: dict[str, Any],
  outputs: Sequence[tuple[str, np.ndarray | list[str], bool]],
) -> Response:
  """Writes an answer.

  Args:
    head: fields of the JSON beside the outputs.
    outputs: for each its name, its values and whether they are binary.

  Returns:
    The response: JSON, followed by bytes if an output is binary.
  """
  described, blobs = [], []
  for name, values, is_binary in outputs:
    output: dict[str, Any]
    if isinstance(values, list):
      output = {'shape': [len(values)], 'datatype': 'BYTES'}
      data, blob = values, _texts(values) if is_binary else b''
    else:
      kind = _NAMES[values.dtype]
      output = {'shape': list(values.shape), 'datatype': kind}
      data = [] if is_binary else values.ravel().tolist()
      blob = values.tobytes() if is_binary else b''
    if is_binary:
      output['parameters'] = {'binary_data_size': len(blob)}
      blobs.append(blob)
    else:
      output['data'] = data
    described.append({'name': name, **output})
  text = json.dumps({**head, 'outputs': described}, allow_nan=False).encode()
  if not blobs:
    return Response(text, media_type='application/json')
  headers = {LENGTH_HEADER: str(len(text))}
  body = b''.join([text, *blobs])
  return Response(body, 200, headers, 'application/octet-stream')


def _read_tensor(
  given: dict[str, Any], blob: memoryview
) -> np.ndarray | list[bytes]:
  shape, kind = given['shape'], str(given['datatype'])
  if not all(type(side) is int and side >= 0 for side in shape):
    raise TypeError('the shape is no list of lengths')
  size = (given.get('parameters') or {}).get('binary_data_size')
  if size is not None and size != len(blob):
    raise Refused(
      400, f'binary_data_size is {size!r}, and {len(blob)} bytes follow.'
    )
  if kind == 'BYTES':
    files = _encoded(given['data']) if size is None else _split(blob)
    if shape != [len(files)]:
      raise Refused(
        400, f'The shape is {shape}, and there are {len(files)} elements.'
      )
    return files
  if kind not in _TYPES or kind == 'FP64':
    raise Refused(400, 'The datatype must be FP32, UINT8 or BYTES.')
  if size is not None:
    values = np.frombuffer(blob, dtype=_TYPES[kind])
  else:
    values = np.asarray(given['data'], np.float64).ravel()
  if values.size != math.prod(shape):
    raise Refused(
      400, f'The shape is {shape}, and there are {values.size} numbers.'
    )
  return values.reshape(shape)


def _encoded(data: list[str]) -> list[bytes]:
  return [base64.b64decode(text, validate=True) for text in data]


def _split(blob: memoryview) -> list[bytes]:
  """Splits BYTES: for each element its length and its bytes."""
  files, place = [], 0
  while place < len(blob):
    (length,) = _PREFIX.unpack_from(blob, place)
    place += _PREFIX.size
    if place + length > len(blob):
      raise ValueError('an element ends behind the body')
    files.append(bytes(blob[place : place + length]))
    place += length
  return files


def _texts(values: list[str]) -> bytes:
  encoded = [value.encode() for value in values]
  return b''.join(_PREFIX.pack(len(text)) + text for text in encoded)

"""Writes ONNX models, large weights in a file beside them."""

import pathlib

import onnx
from onnx.external_data_helper import set_external_data

from afgan_jax.system.files import replacing

# Protocol buffers end at 2 GiB.
MOST_BYTES = 3 * 2**29
# Shorter constants, such as shapes, stay in the model.
_LEAST_BYTES = 1024
_PAGE = 4096  # Weights begin at pages, so that they can be mapped to memory.


def write(
  model: onnx.ModelProto, path: pathlib.Path, most_bytes: int = MOST_BYTES
) -> None:
  """Writes a model.

  Args:
    model: to write; its weights are emptied if they go to a file of their own.
    path: of the model; the weights' file is called as it is and '.data'.
    most_bytes: size of the weights above which they get a file of their own.

  Raises:
    OSError: if a file cannot be written.
  """
  weights = list(model.graph.initializer)
  if sum(len(tensor.raw_data) for tensor in weights) > most_bytes:
    _write_data(weights, path.with_name(f'{path.name}.data'))
  with replacing(path) as temporary, temporary.open('wb') as file:
    file.write(model.SerializeToString(deterministic=True))


def _write_data(weights: list[onnx.TensorProto], path: pathlib.Path) -> None:
  """Moves weights to a file."""
  with replacing(path) as temporary, temporary.open('wb') as file:
    for tensor in weights:
      length = len(tensor.raw_data)
      if length < _LEAST_BYTES:
        continue
      file.write(bytes(-file.tell() % _PAGE))
      set_external_data(tensor, path.name, file.tell(), length)
      file.write(tensor.raw_data)
      tensor.ClearField('raw_data')

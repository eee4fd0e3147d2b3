"""A made-up exported detector, whose score is the mean of the pixels."""

import json
import math
import pathlib

import numpy as np
import pytest

SIZE, THRESHOLD, SCALE = 8, 100.0, 10.0


def write_model(
  path: pathlib.Path, size: int = SIZE, with_region: bool = False
) -> None:
  """Writes `model.onnx` with the inputs and outputs of an exported detector.

  Args:
    path: of the file.
    size: side of the images.
    with_region: whether the region of interest is an input.
  """
  onnx = pytest.importorskip('onnx', reason='the package onnx is not installed')
  from onnx import TensorProto, helper, numpy_helper

  def value(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, shape)

  def constant(name, array):
    return numpy_helper.from_array(np.array(array), name)

  node, float32 = helper.make_node, TensorProto.FLOAT
  nodes = [
    node('ReduceMean', ['pixels', 'channels'], ['map'], keepdims=0),
    node('ReduceMean', ['map', 'sides'], ['score'], keepdims=0),
    node('Sub', ['score', 'threshold'], ['above']),
    node('Div', ['above', 'scale'], ['z']),
    node('Sigmoid', ['z'], ['probability']),
    node('Greater', ['score', 'threshold'], ['verdict']),
    node('Cast', ['pixels'], ['reconstruction'], to=TensorProto.UINT8),
  ]
  inputs = [value('pixels', float32, 'n', size, size, 3)]
  if with_region:
    inputs.append(value('region', TensorProto.BOOL, 'n', size, size))
  outputs = [
    *(value(name, float32, 'n') for name in ('score', 'probability')),
    value('verdict', TensorProto.BOOL, 'n'),
    value('map', float32, 'n', size, size),
    value('reconstruction', TensorProto.UINT8, 'n', size, size, 3),
  ]
  graph = helper.make_graph(
    nodes,
    'tiny',
    [*inputs, value('threshold', float32)],
    outputs,
    [
      constant('channels', [3]),
      constant('sides', [1, 2]),
      constant('threshold', np.float32(THRESHOLD)),
      constant('scale', np.float32(SCALE)),
    ],
  )
  model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid('', 21)], ir_version=10
  )
  onnx.checker.check_model(model)
  onnx.save(model, path)


def expected(pixels: np.ndarray, threshold: float = THRESHOLD) -> dict:
  """Computes the results of an image, from the definition."""
  score = float(np.mean(pixels, dtype=np.float64))
  return {
    'score': score,
    'probability': 1 / (1 + math.exp(-(score - threshold) / SCALE)),
    'defective': score > threshold,
  }


def write_artefact(folder: pathlib.Path, with_region: bool = False) -> None:
  """Writes a folder with the model and two golden images, good and bad."""
  place = folder / 'golden'
  place.mkdir(parents=True)
  write_model(folder / 'model.onnx', with_region=with_region)
  rng = np.random.default_rng(0)
  golden = []
  for name, middle in (('dark.png', 90), ('bright.png', 115)):
    noise = rng.uniform(-40, 40, (SIZE, SIZE, 3))
    pixels = (middle + noise).astype(np.float32)
    np.save(place / f'{name}.pixels.npy', pixels)
    files = {'pixels': f'{name}.pixels.npy'}
    if with_region:
      files['region'] = f'{name}.region.npy'
      np.save(place / files['region'], np.ones((SIZE, SIZE), bool))
    golden.append({'name': name, 'model': {**files, **expected(pixels)}})
  (place / 'golden.json').write_text(json.dumps(golden))

"""Holds the programs that the README of an exported detector shows.

SIZE stands for the side of the images that the model takes.
"""

DETECTOR = """\
from afgan_jax import Detector

detector = Detector.load('.')
prediction = detector.predict('image.png')
print(prediction.verdict, prediction.score, prediction.regions)
"""

PYTHON = """\
import json
import os
import numpy

os.environ['ORT_DISABLE_TELEMETRY'] = '1'  # Else it reports to its maker.
import onnxruntime

onnxruntime.set_default_logger_severity(3)  # Without a word on the default.
session = onnxruntime.InferenceSession(
  'model.onnx', providers=['CPUExecutionProvider']
)
names = ['score', 'probability', 'verdict']
for golden in json.load(open('golden/golden.json', encoding='utf-8')):
  expected = golden['model']
  pixels = numpy.load(f'golden/{expected["pixels"]}')[numpy.newaxis]
  score, probability, verdict = session.run(names, {'pixels': pixels})
  numpy.testing.assert_allclose(score[0], expected['score'], rtol=1e-4)
  print(golden['name'], score[0], probability[0], verdict[0])
"""
# Replaces the inputs, for models that have one more.
INPUTS = "{'pixels': pixels}"
REGION = "{'pixels': pixels, 'region': region}"
READ_REGION = """\
  region = numpy.load(f'golden/{expected["region"]}')[numpy.newaxis]
"""

WRITE_FLOATS = """\
import numpy
numpy.load('golden/NAME.pixels.npy').tofile('pixels.f32')
"""

CPP = """\
#include <fstream>
#include <iostream>
#include <vector>
#include "openvino/openvino.hpp"

int main() {
  auto model = ov::Core().compile_model(
      "model.onnx", "CPU", ov::hint::inference_precision(ov::element::f32));
  std::vector<float> pixels(SIZE * SIZE * 3);  // Rows, columns, RGB.
  if (!std::ifstream("pixels.f32", std::ios::binary)
           .read(reinterpret_cast<char*>(pixels.data()), pixels.size() * 4))
    return 2;
  auto request = model.create_infer_request();
  request.set_tensor("pixels", ov::Tensor(ov::element::f32, {1, SIZE, SIZE, 3},
                                          pixels.data()));
  request.infer();
  std::cout << request.get_tensor("score").data<float>()[0] << ' '
            << request.get_tensor("verdict").data<bool>()[0] << '\\n';
}
"""

CSHARP = """\
using System;
using System.IO;
using System.Linq;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

var bytes = File.ReadAllBytes("pixels.f32");
var pixels = new float[SIZE * SIZE * 3];  // Rows, columns, RGB.
Buffer.BlockCopy(bytes, 0, pixels, 0, pixels.Length * sizeof(float));
var tensor = new DenseTensor<float>(pixels, new[] { 1, SIZE, SIZE, 3 });
using var session = new InferenceSession("model.onnx");
using var outputs = session.Run(
    new[] { NamedOnnxValue.CreateFromTensor("pixels", tensor) },
    new[] { "score", "verdict" });
var score = outputs.First(o => o.Name == "score").AsTensor<float>().First();
var verdict = outputs.First(o => o.Name == "verdict").AsTensor<bool>().First();
Console.WriteLine($"{score} {(verdict ? "defective" : "good")}");
"""

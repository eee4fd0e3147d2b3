"""Writes the README of an exported detector."""

from collections.abc import Iterator, Mapping
from typing import Any

from afgan_jax.export import snippets
from afgan_jax.system.markdown import table

Fields = Mapping[str, Any]

_FILES = [
  [
    '`detector.json`',
    'preprocessing, thresholds, guarantee, versions, digests',
  ],
  ['`model.onnx`, `*.stablehlo`', 'the model, in the formats of the export'],
  ['`golden/`', 'images, their preprocessed pixels and expected scores'],
  ['`model_card.md`', 'data, method, figures, guarantee and limits'],
]
_SQUARES = '[n, SIZE, SIZE]'
_TENSORS = [
  [
    '`pixels`',
    'float32 [n, SIZE, SIZE, 3]',
    'rows, columns, RGB, in [0, 255]; n is any number',
  ],
  ['`threshold`', 'float32', 'its default is the calibrated threshold'],
  ['`score`', 'float32 [n]', 'the anomaly score'],
  ['`probability`', 'float32 [n]', '0.5 at the threshold'],
  ['`verdict`', 'bool [n]', 'true, defective, if the score is above it'],
  ['`map`', f'float32 {_SQUARES}', 'the anomaly map'],
]
_REGION = ['`region`', f'bool {_SQUARES}', 'an input: true where inspected']
_GEOMETRY = {
  'stretch': 'Resize it to SIZE×SIZE, whatever its proportions.',
  'pad': (
    'Extend the shorter side equally at both ends with copies of the edge '
    'pixels to a square, an odd one at the right or the bottom, and resize '
    'that to SIZE×SIZE.'
  ),
}
_INTENSITY = {
  'normalize_light': (
    'Subtract the mean of all values, divide by their standard deviation, '
    'multiply by 42.5 and add 127.5.'
  ),
  'normalize_brightness': (
    'Multiply all values by the smaller of 110 / mean and 255 / 99th '
    'percentile; take a mean or percentile below 1 as 1.'
  ),
}


def artefact_readme(detector: Fields) -> str:
  """Describes an exported detector and how programs use it.

  Args:
    detector: the content of `detector.json`; 'name', 'config', 'calibration'
      and 'models' are used.

  Returns:
    Markdown, with a newline at the end.

  Raises:
    KeyError: if one of these is missing.
  """
  # Names may hold anything: a code span shows all but backticks and newlines.
  name = ascii(detector['name'])[1:-1].replace('`', "'")
  parts = [
    f'# `{name}`, a detector of defects',
    'It was exported by afgan-jax and needs neither JAX nor the checkout. Read '
    '`model_card.md` before you use it.',
    table(['file', 'content'], _FILES),
    *_verdict(detector['calibration']),
    *_with_package(),
  ]
  if 'onnx' in detector['models']:
    parts += _onnx(detector['config'])
  return '\n\n'.join(parts) + '\n'


def _verdict(calibration: Fields) -> Iterator[str]:
  yield '## Verdict'
  yield (
    f'An image is defective if its score is above {calibration["threshold"]!r}.'
    ' A score that is not a number is an error, never a verdict: treat it, and '
    'every other failure, as defective.'
  )


def _with_package() -> Iterator[str]:
  yield '## With afgan-jax'
  yield (
    'The light installation of the package reads any image, preprocesses it, '
    'and gives regions as well; `onnxruntime` or `openvino` runs the model.'
  )
  yield _code('python', snippets.DETECTOR)


def _onnx(config: Fields) -> Iterator[str]:
  """Describes `model.onnx` and its use from other languages."""
  size, has_region = str(config['image_size']), bool(config['data']['roi'])
  rows = [*_TENSORS, *([_REGION] if has_region else [])]
  yield '## The model'
  yield table(['tensor', 'type', ''], rows).replace('SIZE', size)
  yield '## Preprocessing'
  yield _needs_package(config['data']) or _steps(config['data'], size)
  yield '## Python'
  yield (
    'It needs `numpy` and `onnxruntime` alone, and checks the pixels of the '
    "golden images. Another threshold is a further input, `'threshold': "
    'numpy.array(0.3, numpy.float32)`.'
  )
  yield _code('python', _python(has_region))
  if not has_region:
    yield from _compiled(size)


def _python(has_region: bool) -> str:
  if not has_region:
    return snippets.PYTHON
  line = snippets.PYTHON.index('  score, probability')
  text = snippets.PYTHON[:line] + snippets.READ_REGION + snippets.PYTHON[line:]
  return text.replace(snippets.INPUTS, snippets.REGION)


def _compiled(size: str) -> Iterator[str]:
  yield '## C++ and C#'
  yield 'Both read pixels that Python writes, here those of a golden image:'
  yield _code('python', snippets.WRITE_FLOATS)
  yield (
    'C++ with OpenVINO, of which the wheel `openvino` brings headers and '
    'libraries. Float32 is asked for, since some CPUs would compute in '
    'bfloat16. OpenVINO takes the default of `threshold` as a constant; '
    '`examples/cpp` of afgan-jax sets another one:'
  )
  yield _code('cpp', snippets.CPP.replace('SIZE', size))
  yield (
    'C# with the package `Microsoft.ML.OnnxRuntime`, which reports to its '
    'maker unless `ORT_DISABLE_TELEMETRY=1` is in the environment when the '
    'program starts. Not run here: this program, unlike the others, is not '
    'tested:'
  )
  yield _code('csharp', snippets.CSHARP.replace('SIZE', size))


def _needs_package(data: Fields) -> str:
  """Explains what afgan-jax does around the model; '' for a few plain steps."""
  if data['geometry'] == 'tiles':
    return (
      'Use afgan-jax: an image is scored as several overlapping squares, whose '
      'maps are blended and then scored. The model scores one square, and the '
      'golden pixels are one of each image.'
    )
  if data['geometry'] == 'object':
    return (
      'Use afgan-jax: the object on each image is found and aligned before it '
      'is scored.'
    )
  if data['roi']:
    return (
      'Use afgan-jax: only a region of each image is inspected, and the rest '
      'is filled before the model gets it.'
    )
  return ''


def _steps(data: Fields, size: str) -> str:
  """Describes the preprocessing of plain geometries, a step a line."""
  white = data['white'] or 'the largest value of its type'
  rounding = 'Clip to [0, 255] and round to float16, then use float32.'
  steps = [
    f'Decode the image to RGB of 8 bits; more bits are divided by {white} and '
    'multiplied by 255. Apply the rotation of EXIF.',
    _GEOMETRY[data['geometry']].replace('SIZE', size)
    + ' Resize each channel in floating point with a triangle filter that is '
    'widened by the factor of reduction (antialiased; BILINEAR of Pillow).',
    rounding,
  ]
  for name, text in _INTENSITY.items():
    if data[name]:  # The first includes the second.
      steps += [text, rounding]
      break
  text = '\n'.join(f'{i}. {step}' for i, step in enumerate(steps, 1))
  return (
    f'{text}\n\nCompare your own with `golden/`: the pixels of `NAME` are '
    '`NAME.pixels.npy`. A resize without antialiasing changes scores.'
  )


def _code(language: str, text: str) -> str:
  return f'```{language}\n{text}```'

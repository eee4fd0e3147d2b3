"""Names the files of an exported detector and hashes them.

An exported detector is a folder that needs neither JAX nor the checkout:
`detector.json` describes preprocessing, thresholds and models, and the models
stand beside it.
"""

import hashlib
import pathlib

FORMAT = 'afgan-jax detector'
FORMAT_VERSION = 1
DETECTOR = 'detector.json'
ONNX = 'model.onnx'
ROI = 'roi.png'
README = 'README.md'
CARD = 'model_card.md'
GOLDEN = 'golden'
GOLDEN_TABLE = 'golden.json'


def is_artefact(folder: pathlib.Path) -> bool:
  """Returns True if a folder holds an exported detector."""
  return (folder / DETECTOR).is_file()


def sha256(path: pathlib.Path) -> str:
  """Returns the SHA-256 of a file, in hexadecimal digits.

  Raises:
    OSError: if it cannot be read.
  """
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()

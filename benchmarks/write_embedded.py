"""Writes an embedded data set as image files.

  PYTHONPATH=. python benchmarks/write_embedded.py sprocket FOLDER
  PYTHONPATH=. python benchmarks/write_embedded.py fabric FOLDER

240 good images for training, 40 good ones and 12 of each kind of defect for
tests, with masks, 256 px, in the layout of MVTec AD.
"""

import pathlib
import sys

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.decode import Decoder
from datasets.procedural import KINDS, ORIGINAL_SIZE, ProceduralSource


def main() -> None:
  """Writes the set."""
  if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
    sys.exit(f'Give one of {", ".join(KINDS)} and a folder.')
  kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
  if folder.exists():
    sys.exit(f'{folder} already exists: name a new folder.')
  source = ProceduralSource(kind=kind, num_train=240)
  for sample in [*source.train(), *source.test()]:
    image, _ = sample.original(Decoder())
    _write(folder / f'{sample.path}.png', image)
    if sample.truth is not None:
      name = pathlib.PurePath(sample.path).name
      mask = sample.truth(Decoder(), (ORIGINAL_SIZE, ORIGINAL_SIZE)).defective
      path = folder / 'ground_truth' / sample.defect_type / f'{name}_mask.png'
      _write(path, 255 * mask.astype(np.uint8))


def _write(path: pathlib.Path, pixels: np.ndarray) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


if __name__ == '__main__':
  main()

r"""Splits the good magnetic tiles so that no tile is in both splits.

  python benchmarks/divide_tiles.py MAGNETIC_TILE OUTPUT

Each tile of the data set (Huang et al.) was photographed under up to six
exposures in quick succession, so the images of a tile have close serial
numbers. A split by image puts the same tile into training and test set. Here
runs of numbers with no gap above 200 stay together, and random runs form the
test set until it is as large as before. OUTPUT gets links to the images, in the
layout of MVTec AD; their names begin with the run, so that
`--config.data.part='run(\d+)'` holds out whole tiles too.
"""

import pathlib
import random
import re
import sys

GAP = 200
PARTS = ('train/good', 'test/good')


def main() -> None:
  """Writes the links and prints the number of images in each split."""
  if len(sys.argv) != 3:
    sys.exit('Give the folder of the magnetic tiles and one for the links.')
  source, output = map(pathlib.Path, sys.argv[1:])
  if output.exists():
    sys.exit(f'{output} already exists: name a new folder.')
  good = {part: sorted((source / part).glob('*.jpg')) for part in PARTS}
  if not all(good.values()):
    sys.exit(f'{source} has no images in {" and ".join(PARTS)}.')
  groups = _runs([path for paths in good.values() for path in paths])
  random.Random(0).shuffle(groups)
  counts = dict.fromkeys(PARTS, 0)
  for part in PARTS:
    (output / part).mkdir(parents=True)
  for number, group in enumerate(groups):
    full = counts['test/good'] >= len(good['test/good'])
    part = 'train/good' if full else 'test/good'
    counts[part] += len(group)
    for path in group:
      link = output / part / f'run{number:03}_{path.name}'
      link.symlink_to(path.resolve())
  for folder in (source / 'test').iterdir():
    if folder.name != 'good':
      (output / 'test' / folder.name).symlink_to(folder.resolve())
  truth = source / 'ground_truth'
  (output / 'ground_truth').symlink_to(truth.resolve())
  for part, count in counts.items():
    print(f'{part}: {count} images')


def _runs(paths: list[pathlib.Path]) -> list[list[pathlib.Path]]:
  """Groups images with close serial numbers."""

  def serial(path: pathlib.Path) -> int:
    found = re.search(r'num_(\d+)', path.name)
    if not found:
      sys.exit(f'{path} has no serial number (num_…) in its name.')
    return int(found[1])

  groups: list[list[pathlib.Path]] = []
  for path in sorted(paths, key=serial):
    if groups and serial(path) - serial(groups[-1][-1]) <= GAP:
      groups[-1].append(path)
    else:
      groups.append([path])
  return groups


if __name__ == '__main__':
  main()

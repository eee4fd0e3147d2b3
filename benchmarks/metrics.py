"""Times the metrics on as many maps as MVTec AD has test images.

Usage: python benchmarks/metrics.py [NUMBER_OF_MAPS]
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from afgan_jax.metrics import image as metrics
from afgan_jax.system.memory import process_peak

_SIZE = 256
_NUM_TYPES = 8


def make_maps(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Generates maps of smooth noise with higher values on the masks.

  Args:
    count: number of images; 27 % are good, as in MVTec AD.

  Returns:
    maps float32 and masks uint8, [count, 256, 256] each, and labels [count].
  """
  rng = np.random.default_rng(0)
  labels = (rng.random(count) > 0.27).astype(np.int64)
  maps = np.empty((count, _SIZE, _SIZE), np.float32)
  masks = np.zeros((count, _SIZE, _SIZE), np.uint8)
  rows, columns = np.mgrid[:_SIZE, :_SIZE]
  for i in range(count):
    for _ in range(labels[i] * rng.integers(1, 5)):
      row, column = rng.integers(0, _SIZE, 2)
      radius = rng.integers(2, 40)
      masks[i] |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    noise = rng.standard_normal((_SIZE, _SIZE), np.float32)
    maps[i] = ndimage.uniform_filter(noise, 5) + 0.2 * masks[i]
  return maps, masks, labels


def main() -> None:
  """Prints the seconds of each function and the peak memory of the process."""
  count = int(sys.argv[1]) if len(sys.argv) > 1 else 1725
  maps, masks, labels = make_maps(count)
  scores = np.array([image.max() for image in maps])
  has_mask = np.ones(count, bool)
  types = [f'type {i % _NUM_TYPES}' for i in range(count)]
  share = np.count_nonzero(masks) / masks.size
  print(f'{count} maps of {_SIZE}×{_SIZE}, {share:.1%} of the pixels defective')
  pixels = (maps, masks, has_mask)
  _timed('nothing', lambda: None)
  _timed('image_metrics', metrics.image_metrics, labels, scores)
  _timed('bootstrap_intervals', metrics.bootstrap_intervals, labels, scores)
  _timed('pixel_metrics', metrics.pixel_metrics, *pixels)
  _timed(
    'metrics_by_type', metrics.metrics_by_type, labels, scores, types, *pixels
  )


def _timed(name: str, run: Callable[..., Any], *arguments: Any) -> None:
  begin = time.perf_counter()
  run(*arguments)
  seconds = time.perf_counter() - begin
  gib = process_peak() / 2**30
  print(f'{name:<20} {seconds:7.2f} s, peak so far {gib:.2f} GiB', flush=True)


if __name__ == '__main__':
  main()

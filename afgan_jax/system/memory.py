"""Measures the memory of the process; imports only small modules."""

import resource
import sys


def process_peak() -> int:
  """Returns the peak resident memory of the process in bytes."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # Linux counts in KiB, macOS in bytes.
  return peak if sys.platform == 'darwin' else 1024 * peak

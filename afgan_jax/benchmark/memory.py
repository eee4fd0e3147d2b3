"""Memory of the process; imports nothing that would add to it."""

import resource
import sys


def process_peak() -> int:
  """Returns the most bytes that the process has held in memory at once."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # Linux counts in KiB, macOS in bytes.
  return peak if sys.platform == 'darwin' else 1024 * peak

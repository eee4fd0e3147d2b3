"""Reads back what `event_writer` wrote, without TensorFlow.

For runs of older versions alone, which left no `history.jsonl`: see `history`.
"""

import math
import pathlib
import struct
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from afgan_jax.tracking.history import Curve


def read_scalars(
  folder: pathlib.Path, prefix: str, before: float = math.inf
) -> dict[str, Curve]:
  """Reads all numbers whose names begin with a prefix.

  Where a run went on from a checkpoint, steps that it made twice have the
  values of the second time.

  Args:
    folder: of the event files; there may be none.
    prefix: of the names, such as 'loss/'.
    before: a step; those from it on are left out.

  Returns:
    For each name, without the prefix, the steps and the finite values at them.
  """
  values: dict[str, dict[int, float]] = {}
  for path in sorted(folder.glob('events.out.tfevents.*')):
    for event in _events(path):
      for value in event.summary.value:
        wanted = value.tag.startswith(prefix) and event.step < before
        if wanted and math.isfinite(value.simple_value):
          curve = values.setdefault(value.tag.removeprefix(prefix), {})
          curve[event.step] = value.simple_value
  return {
    name: (sorted(curve), [curve[step] for step in sorted(curve)])
    for name, curve in sorted(values.items())
  }


def _events(path: pathlib.Path) -> Iterator[Event]:
  """Reads a file of records, up to one that a killed run left unfinished."""
  with path.open('rb') as file:
    # A record is its length, a checksum, the content, another checksum.
    while len(head := file.read(12)) == 12:
      (length,) = struct.unpack('<Q', head[:8])
      # Losses are short; panels are passed over unread.
      if length > _LONGEST_SCALARS:
        file.seek(length + 4, 1)
        continue
      content = file.read(length + 4)[:-4]
      try:
        yield Event.FromString(content)
      except DecodeError:
        return


_LONGEST_SCALARS = 2**14

"""Reads TensorBoard event files without TensorFlow.

Only for runs of older versions, which have no `history.jsonl`; see `history`.
"""

import math
import pathlib
import struct
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from afgan_jax.tracking.history import Curve

# Bytes; longer records hold images.
_LONGEST_SCALARS = 2**14


def read_scalars(
  folder: pathlib.Path, prefix: str, before: float = math.inf
) -> dict[str, Curve]:
  """Reads all scalars whose names begin with a prefix.

  If a resumed run logged a step twice, the later value counts.

  Args:
    folder: of the event files; there may be none.
    prefix: of the names, such as 'loss/'.
    before: this step and later ones are left out.

  Returns:
    By name, without the prefix, the steps and their finite values.
  """
  values: dict[str, dict[int, float]] = {}
  for path in sorted(folder.glob('events.out.tfevents.*')):
    for event in _events(path):
      for value in event.summary.value:
        selected = value.tag.startswith(prefix) and event.step < before
        if selected and math.isfinite(value.simple_value):
          curve = values.setdefault(value.tag.removeprefix(prefix), {})
          curve[event.step] = value.simple_value
  return {
    name: (sorted(curve), [curve[step] for step in sorted(curve)])
    for name, curve in sorted(values.items())
  }


def _events(path: pathlib.Path) -> Iterator[Event]:
  """Yields the events of a file, up to a record that a kill cut off."""
  with path.open('rb') as file:
    # A record is its length, a checksum, the content, another checksum.
    while len(head := file.read(12)) == 12:
      (length,) = struct.unpack('<Q', head[:8])
      # Records of losses are short; panels are skipped.
      if length > _LONGEST_SCALARS:
        file.seek(length + 4, 1)
        continue
      content = file.read(length + 4)[:-4]
      try:
        yield Event.FromString(content)
      except DecodeError:
        return

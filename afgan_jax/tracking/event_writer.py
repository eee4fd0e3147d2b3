"""Writes TensorBoard event files without TensorFlow."""

import io
import pathlib
import time
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from afgan_jax.system.files import printable


class EventWriter:
  """Writes scalars and images for TensorBoard; a context manager.

  The writer of `tensorboard` imports TensorFlow if it is installed, which takes
  seconds; its record format and messages do not need it.
  """

  def __init__(self, folder: pathlib.Path):
    """Opens a new event file.

    Args:
      folder: of the event file; created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'events.out.tfevents.{time.time_ns()}.afgan'
    self._file = path.open('wb')
    self._records = RecordWriter(self._file)
    self._write(file_version='brain.Event:2')

  def __enter__(self) -> 'EventWriter':
    return self

  def __exit__(self, *exc_info: Any) -> None:
    self._file.close()

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """Writes scalars by name."""
    self._write(
      step=step,
      summary=Summary(
        value=[
          Summary.Value(tag=printable(tag), simple_value=value)
          for tag, value in values.items()
        ]
      ),
    )

  def image(self, step: int, tag: str, image: np.ndarray) -> None:
    """Writes an image, uint8 [height, width, 3]."""
    png = io.BytesIO()
    Image.fromarray(image).save(png, 'png')
    content = Summary.Image(
      height=image.shape[0],
      width=image.shape[1],
      colorspace=3,
      encoded_image_string=png.getvalue(),
    )
    self._write(
      step=step, summary=Summary(value=[Summary.Value(tag=tag, image=content)])
    )

  def _write(self, **fields: Any) -> None:
    event = Event(wall_time=time.time(), **fields)
    self._records.write(event.SerializeToString())
    self._file.flush()

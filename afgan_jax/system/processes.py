"""Lets the processes of one run agree with each other; one of them writes.

A process that is alone, as usual, is the writer and agrees with itself. Several
are connected by `join`, which the command line calls before any work: they run
the same program on the same data, and only its files and its messages come from
the writer alone.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from afgan_jax.system.errors import ProcessesDiffer
from afgan_jax.system.group import Group

if TYPE_CHECKING:
  import numpy as np

_groups = [Group(None, 0, 1)]


def join(group: Group) -> None:
  """Makes a group that of this process, from now on."""
  _groups[:] = [group]


def group() -> Group:
  """Returns the group of this process."""
  return _groups[0]


def count() -> int:
  """Returns the number of processes."""
  return group().count


def is_writer() -> bool:
  """Returns True in the one process that writes files and messages."""
  return group().index == 0


def agree(name: str, value: Any) -> list[Any]:
  """Exchanges a value with all processes, see `Group.agree`."""
  return group().agree(name, value)


def check_same(facts: dict[str, Any]) -> None:
  """Checks that all processes were started alike.

  Args:
    facts: that must be equal in all of them, by name, as JSON can hold them.

  Raises:
    ProcessesDiffer: names a fact, the processes and their values.
  """
  facts = json.loads(json.dumps(facts))  # Tuples become lists.
  everyone = agree('start', facts)
  for index, other in enumerate(everyone):
    for name in sorted({*everyone[0], *other}):
      first, value = everyone[0].get(name), other.get(name)
      if value != first:
        raise ProcessesDiffer(
          f'{name} is {first!r} in process 0 and {value!r} in process {index}: '
          'start all processes with the same command and the same version.'
        )


def check_same_images(name: str, images: np.ndarray) -> None:
  """Checks that all processes have read the same images.

  Args:
    name: of the images, for the error.
    images: [n, size, size, 3], of any type.

  Raises:
    ProcessesDiffer: if they have not.
  """
  if count() == 1:
    return
  digest = hashlib.sha256(images.tobytes()).hexdigest()
  everyone = agree(name, [len(images), digest])
  for index, other in enumerate(everyone):
    if other != everyone[0]:
      raise ProcessesDiffer(
        f'Process {index} has read other {name} than process 0 ({other[0]} and '
        f'{everyone[0][0]}): all must find the same images.'
      )

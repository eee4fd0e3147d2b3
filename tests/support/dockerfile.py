"""Reads Dockerfiles, as far as those of this repository go."""

import json
from typing import NamedTuple


class Instruction(NamedTuple):
  """An instruction of a Dockerfile; `stage` counts from 0."""

  stage: int
  name: str
  arguments: str

  @property
  def words(self) -> list[str]:
    """The arguments of a form that is JSON, or else separated by spaces."""
    text = self.arguments[self.arguments.find('[') :]
    return json.loads(text) if '[' in self.arguments else self.arguments.split()


def read(text: str) -> list[Instruction]:
  """Reads the instructions of a Dockerfile without line continuations."""
  found, stage = [], -1
  for line in text.splitlines():
    if not line.strip() or line.startswith('#'):
      continue
    assert not line.endswith('\\'), line
    name, _, arguments = line.partition(' ')
    stage += name == 'FROM'
    found.append(Instruction(stage, name, arguments.strip()))
  return found

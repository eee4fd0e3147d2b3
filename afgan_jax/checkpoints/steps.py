"""Lists the checkpoints of a workdir by their names alone."""

import pathlib

FOLDER = 'checkpoints'


def latest_step(workdir: pathlib.Path) -> int:
  """Returns the step of a run's newest checkpoint, 0 if there is none.

  Args:
    workdir: of the run; it need not exist.
  """
  names = [path.name for path in (workdir / FOLDER).glob('*')]
  return max((int(name) for name in names if name.isdigit()), default=0)


def describe_kept(workdir: pathlib.Path) -> str:
  """Describes the newest checkpoint of a run, for the end of an error.

  Args:
    workdir: of the run.
  """
  step = latest_step(workdir)
  if not step:
    return 'no checkpoint was saved'
  return f'the checkpoint of step {step} is kept'

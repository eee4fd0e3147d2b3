"""Errors of the user's making, typed; the command line adds advice to them."""

import re
import signal


class UsageError(Exception):
  """Something the user can put right; the message is one sentence of facts."""


class MissingCheckpoint(UsageError):
  """A workdir holds no checkpoint, or none that can be read."""


class MissingThreshold(UsageError):
  """No threshold was set for a checkpoint and a way of scoring."""


class NothingHeldOut(UsageError):
  """No good images were held out of training."""


class ConfigConflict(UsageError):
  """A config differs in fields that the weights depend on."""


class WorkdirInUse(UsageError):
  """Another process trains in the workdir."""


class OutputExists(UsageError):
  """Earlier predictions are in the way."""


class Diverged(UsageError):
  """Losses or weights are no longer finite."""


class CheckpointNotWritten(UsageError):
  """A checkpoint could not be written; those before it are kept."""


class DataError(ValueError):
  """An image, a mask or a folder that cannot be used.

  Its message is one sentence that names the file or folder and says what to
  do, on one line whatever characters the name has.
  """

  def __init__(self, message: str):
    """Takes the sentence; control characters in it are escaped."""
    super().__init__(
      re.sub(
        r'[\x00-\x1f\x7f-\x9f]', lambda found: repr(found[0])[1:-1], message
      )
    )


class PartlyFailed(Exception):  # noqa: N818
  """Most of the work is done, a part could not be; the message says which."""


class Interrupted(Exception):  # noqa: N818
  """Somebody stopped the run; the message says how far it was.

  Attributes:
    exit_code: of the program, 128 and the number of the signal.
  """

  def __init__(self, message: str, signum: int = signal.SIGINT):
    super().__init__(message)
    self.exit_code = 128 + signum


class PredictionInterrupted(Interrupted):
  """Somebody stopped a prediction; finished rows are written."""

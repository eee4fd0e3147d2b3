"""Exceptions for user errors; the command line adds advice to them."""

import errno
import os
import re
import signal

# The words for a full disk, which end the much longer ones of Orbax.
_FULL_DISK = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))


class UsageError(Exception):
  """An error that the user can fix; the message is one sentence of facts."""


class MissingCheckpoint(UsageError):
  """A workdir holds no checkpoint, or none that can be read."""


class MissingThreshold(UsageError):
  """No threshold was calibrated for this checkpoint and score."""


class OtherScores(MissingThreshold):
  """The stored threshold belongs to other fields of the score."""


class OneRun(UsageError):
  """An ensemble would have only one run."""


class NothingHeldOut(UsageError):
  """No good images were held out of training."""


class NothingToCalibrate(NothingHeldOut):
  """No good images were held out for a threshold."""


class TrainedOn(UsageError):
  """Images that should be new to the networks were trained on."""


class ConfigConflict(UsageError):
  """A config differs in fields that the weights depend on."""


class WorkdirInUse(UsageError):
  """Another process is training in the workdir."""


class OutputExists(UsageError):
  """The output folder already holds predictions."""


class ExportExists(UsageError):
  """The output folder already holds an exported detector."""


class OtherPredictions(UsageError):
  """The output folder holds predictions that cannot be continued."""


class MissingShard(UsageError):
  """A part of the predictions is missing, so that they cannot be joined."""


class OutputInUse(UsageError):
  """Another prediction writes to the output folder."""


class OutputFull(UsageError):
  """A result could not be written; the rows so far are kept."""


class ProcessLost(UsageError):
  """Another process of the run has failed or cannot be reached."""


class ProcessesDiffer(UsageError):
  """The processes of a run were not started alike."""


class Diverged(UsageError):
  """Losses or weights are no longer finite."""


class CheckpointNotWritten(UsageError):
  """A checkpoint could not be written; earlier ones are kept."""


class DataError(ValueError):
  """An image, a mask or a folder that cannot be used.

  The message is one sentence that names the file or folder and says what to
  do, on one line whatever characters the name contains.
  """

  def __init__(self, message: str):
    """Stores the sentence with its control characters escaped."""
    super().__init__(
      re.sub(
        r'[\x00-\x1f\x7f-\x9f]', lambda found: repr(found[0])[1:-1], message
      )
    )


class MovedData(DataError):
  """The images of a run are no longer where its config says."""


class MissingPath(DataError):
  """A folder or table of images that does not exist.

  Attributes:
    path: of the folder or table, as given.
  """

  def __init__(self, path: str, message: str):
    super().__init__(message)
    self.path = path


class PartlyFailed(Exception):  # noqa: N818
  """Some items failed and the others are done; the message names them."""


class Interrupted(Exception):  # noqa: N818
  """The user stopped the run; the message says how far it got.

  Attributes:
    exit_code: of the program, 128 plus the number of the signal.
  """

  def __init__(self, message: str, signum: int = signal.SIGINT):
    super().__init__(message)
    self.exit_code = 128 + signum


class ProcessStopped(SystemExit):
  """The user stopped one of several processes, and so ends the others.

  Nothing that handles errors handles it. It is a SystemExit, since asyncio, in
  which Orbax saves, logs any other exception of a callback and goes on.

  Attributes:
    exit_code: of the program, 128 plus the number of the signal.
  """

  def __init__(self, signum: int):
    super().__init__(
      f'Stopped by {signal.Signals(signum).name}; the same command continues '
      'from the last checkpoint.'
    )
    self.code = self.exit_code = 128 + signum


class PredictionInterrupted(Interrupted):
  """The user stopped a prediction; finished rows are written."""


def first_line(error: BaseException) -> str:
  """Returns the first line of an error of a library, to quote it in a sentence.

  Args:
    error: any; one without a text is quoted as its type.
  """
  return (str(error).strip() or type(error).__name__).splitlines()[0]


def in_short(error: BaseException) -> str:
  """Shortens an error of a library that may quote much itself.

  Args:
    error: any.

  Returns:
    The system's words if a disk is full, else up to 200 characters of the first
    line.
  """
  full = (words for words in _FULL_DISK if words in str(error))
  return next(full, first_line(error)[:200])

"""Errors that are the user's to mend."""

import re
import signal


class UsageError(Exception):
  """Something the user can put right; the message is one sentence for them."""


class PartlyFailed(Exception):  # noqa: N818
  """Most of the work is done, a part could not be; the message says which."""


class Interrupted(Exception):  # noqa: N818
  """Somebody stopped the run; the message says how to continue.

  Attributes:
    exit_code: of the program, 128 and the number of the signal.
  """

  def __init__(self, message: str, signum: int = signal.SIGINT):
    super().__init__(message)
    self.exit_code = 128 + signum


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

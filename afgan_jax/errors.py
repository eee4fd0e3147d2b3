"""Errors that are the user's to mend."""

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

"""Errors that are the user's to mend."""


class UsageError(Exception):
  """Something the user can put right; the message is one sentence for them."""


class PartlyFailed(Exception):  # noqa: N818
  """Most of the work is done, a part could not be; the message says which."""


class Interrupted(Exception):  # noqa: N818
  """The user stopped the run; the message says how to continue."""

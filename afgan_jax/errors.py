"""Errors that are the user's to mend."""


class UsageError(Exception):
  """Something the user can put right; the message is one sentence for them."""


class Interrupted(Exception):  # noqa: N818
  """The user stopped the run; the message says how to continue."""

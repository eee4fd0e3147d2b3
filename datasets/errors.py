"""Errors that are the user's to mend."""


class DataError(ValueError):
  """Data that cannot be used; the message is one sentence for the user."""

"""The package's logger; the command line shows its records."""

import logging

logger = logging.getLogger('afgan_jax')


def _escape(record: logging.LogRecord) -> bool:
  """Escapes file names that are not valid text, for handlers of all kinds."""
  text = record.getMessage().encode('utf-8', 'backslashreplace').decode()
  record.msg, record.args = text, None
  return True


logger.addFilter(_escape)
logger.addHandler(logging.NullHandler())

_UNITS = (('days', 24 * 3600), ('h', 3600), ('min', 60))


def in_words(seconds: float) -> str:
  """Formats a duration with two significant digits."""
  for unit, length in _UNITS:
    if seconds >= 2 * length:
      return f'{float(f"{seconds / length:.2g}"):g} {unit}'
  return f'{float(f"{max(seconds, 1):.2g}"):g} s'

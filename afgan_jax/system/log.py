"""The package's logger; the command line shows its records."""

import logging

logger = logging.getLogger('afgan_jax')
logger.addHandler(logging.NullHandler())

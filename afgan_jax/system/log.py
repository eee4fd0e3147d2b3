"""The package's logger, whose records the command line shows."""

import logging

logger = logging.getLogger('afgan_jax')
logger.addHandler(logging.NullHandler())

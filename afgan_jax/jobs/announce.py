"""Announces that scoring takes long."""

from afgan_jax.detector import Detector


def announce(detector: Detector, num_images: int) -> None:
  """Logs the expected duration of scoring images if it is long.

  That of an exported detector is not known.

  Args:
    detector: that scores them.
    num_images: to be scored.
  """
  if detector.runtime == 'jax':
    from afgan_jax import scoring

    scoring.announce(detector.config, num_images)

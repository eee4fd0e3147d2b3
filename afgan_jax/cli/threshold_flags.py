"""Defines the flags of --mode=calibrate."""

from absl import flags

from afgan_jax.metrics.wanted import Wanted

_FALSE_REJECT_RATE = flags.DEFINE_float(
  'false_reject_rate',
  None,
  'With --mode=calibrate: share of good images that may be rejected; default: '
  'config.calibration.false_reject_rate.',
)
_THRESHOLD = flags.DEFINE_float(
  'threshold',
  None,
  'With --mode=calibrate: threshold of the score, set by hand.',
)
_PIXEL_THRESHOLD = flags.DEFINE_float(
  'pixel_threshold',
  None,
  'With --mode=calibrate: threshold of the anomaly map, set by hand.',
)


def wanted() -> Wanted:
  """Returns the threshold that the flags ask for."""
  return Wanted(
    _FALSE_REJECT_RATE.value, _THRESHOLD.value, _PIXEL_THRESHOLD.value
  )

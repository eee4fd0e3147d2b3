"""Says when test images are too few for firm figures."""

# With fewer, the 95 % interval of an AUROC of 0.9 is wider than 0.27 (Hanley
# and McNeil, 1982).
FEW_GOOD, FEW_DEFECTIVE = 20, 10


def describe_few(
  num_good: int,
  num_defective: int,
  interval: tuple[float, float] | None = None,
) -> str:
  """Describes how uncertain figures on few test images are.

  Args:
    num_good: good test images.
    num_defective: defective test images.
    interval: the 95 % interval of the image AUROC; None if unknown.

  Returns:
    A sentence; '' with at least `FEW_GOOD` and `FEW_DEFECTIVE` images.
  """
  if num_good >= FEW_GOOD and num_defective >= FEW_DEFECTIVE:
    return ''
  known = ''
  if interval is not None and interval[0] < interval[1]:
    low, high = interval
    known = f' (95 % interval of the image AUROC: {low:.4f} to {high:.4f})'
  elif interval is not None:
    known = ', more than an interval from resampling them shows'
  return (
    f'With few test images, {num_good} good and {num_defective} defective, '
    f'figures are uncertain{known}: use at least {FEW_GOOD} good and '
    f'{FEW_DEFECTIVE} defective ones.'
  )


def describe_few_held_out(num_good: int) -> str:
  """Describes how uncertain figures on few held-out good images are.

  Args:
    num_good: held-out images, on which synthetic defects are put.

  Returns:
    A sentence; '' with at least `FEW_GOOD` images.
  """
  if num_good >= FEW_GOOD:
    return ''
  return (
    f'With few held-out images, {num_good} good ones, figures are uncertain: '
    f'hold out at least {FEW_GOOD} (config.calibration.fraction).'
  )

"""Says at which size pixel metrics were measured."""

from collections.abc import Mapping
from typing import Any


def describe_pixel_size(metrics: Mapping[str, Any]) -> str:
  """Describes the size of the pixel metrics, such as '64 × 64 px'.

  Args:
    metrics: content of `metrics.json` or `validation.json`.

  Returns:
    The size; '' if the metrics do not say it, as those of older versions.
  """
  side, own = metrics.get('pixel_metrics_size'), metrics.get('own_size')
  if side:
    return f'{side} × {side} px'
  if not own or not own['smallest']:
    return "the images' own size" if own else ''
  low, high = (
    f'{width} × {height}' for height, width in (own['smallest'], own['largest'])
  )
  sizes = low if low == high else f'{low} to {high}'
  return f"the images' own size, {sizes} px"

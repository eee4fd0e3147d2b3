"""Writes the model card of a run."""

import json
import pathlib
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.metrics.calibration_file import to_fields
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.model_card import model_card

FILE = 'model_card.md'


def describe_run(
  workdir: pathlib.Path,
  config: ConfigDict,
  step: int,
  calibration: Calibration | None,
  variables: Any = None,
) -> str:
  """Describes a run for those who will use its model.

  Args:
    workdir: of the run; figures are those of its `metrics.json` and
      `validation.json`.
    config: of the run.
    step: of the weights.
    calibration: the thresholds; None if there are none.
    variables: of the networks, to count their weights; None to leave that out.

  Returns:
    The model card, Markdown.
  """
  return model_card(
    config.to_dict(),
    _read(workdir / 'metrics.json'),
    calibration and to_fields(calibration),
    step=step,
    name=workdir.resolve().name,
    validation=_read(workdir / 'validation.json'),
    parameters=None if variables is None else count_parameters(variables),
  )


def count_parameters(variables: Any) -> dict[str, int]:
  """Counts the trained weights of networks.

  Args:
    variables: `TrainState.scoring_variables`.

  Returns:
    The number of weights by network; statistics of norms do not count.
  """
  return {
    name: sum(leaf.size for leaf in jax.tree.leaves(network['params']))
    for name, network in variables.items()
  }


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  """Reads a file of figures; None if there is none, or it is damaged."""
  try:
    return json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return None

"""Draws the figures of an evaluation, as SVG and data: URIs.

They use matplotlib's objects and not pyplot, which keeps global state and may
look for a display.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score, roc_curve

from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.report.drawing import (
  BLUE,
  COLUMNS,
  GREEN,
  GREY,
  STYLE,
  VERMILION,
  new_figure,
  to_svg,
)
from afgan_jax.report.tradeoff import tradeoff_figure

# Steps and values of each curve, by name.
History = Mapping[str, tuple[Sequence[float], Sequence[float]]]
_FEW_POINTS = 30  # Curves of at most this many points show them.


def draw_figures(evaluation: Evaluation) -> dict[str, str | None]:
  """Draws the figures of a report.

  Args:
    evaluation: of the test images.

  Returns:
    'histogram', 'roc', 'pro', 'training' and 'tradeoff' as data: URIs; None
    if undefined.
  """
  metrics = evaluation.metrics
  labels = np.asarray(evaluation.test.labels)
  scores = np.asarray(evaluation.scores['score'])
  validation = evaluation.validation or {}
  drawn = {
    'histogram': score_histogram(labels, scores, evaluation.threshold),
    'roc': roc_figure(labels, scores, metrics['baselines']),
    'pro': pro_figure(metrics['pro_curves']),
    'training': training_curves(evaluation.history),
    'tradeoff': tradeoff_figure(validation.get('tradeoff') or ()),
  }
  return {
    name: svg and data_uri('svg+xml', svg.encode())
    for name, svg in drawn.items()
  }


def score_histogram(
  labels: np.ndarray, scores: np.ndarray, threshold: float | None
) -> str:
  """Draws histograms of the scores of good and of defective images.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n], finite, n ≥ 1.
    threshold: drawn as a line; None for no line.

  Returns:
    The figure, as SVG.
  """
  with matplotlib.rc_context(STYLE):
    figure, (axes,) = new_figure(1, width=6, height=3.6)
    good, defective = scores[labels == 0], scores[labels == 1]
    # Shared edges, so that the heights are comparable.
    bins = np.histogram_bin_edges(scores, bins=30)
    if len(good):
      name = f'good ({len(good)})'
      axes.hist(good, bins, color=BLUE, alpha=0.55, label=name)
    if len(defective):
      axes.hist(
        defective,
        bins,
        histtype='step',
        color=VERMILION,
        linewidth=1.6,
        hatch='////',
        label=f'defective ({len(defective)})',
      )
    if threshold is not None:
      label = f'threshold {threshold:.4g}'
      axes.axvline(threshold, color='black', linestyle='--', label=label)
    axes.set(xlabel='score', ylabel='images')
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    return to_svg(figure)


def roc_figure(
  labels: np.ndarray,
  scores: np.ndarray,
  baselines: Mapping[str, float | None],
) -> str | None:
  """Draws the ROC curve of the images.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n], finite.
    baselines: AUROC of each baseline, for the legend; those that are None are
      left out.

  Returns:
    The figure, as SVG; None if one class is missing.
  """
  if len(np.unique(labels)) < 2:
    return None
  with matplotlib.rc_context(STYLE):
    figure, (axes,) = new_figure(1, width=6, height=3.6)
    fpr, tpr, _ = roc_curve(labels, scores)
    auroc = roc_auc_score(labels, scores)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=':', label='chance  0.5000')
    axes.plot(fpr, tpr, color=BLUE, label=f'model  {auroc:.4f}', linewidth=2)
    for name, value in baselines.items():
      if value is not None:
        # Only numbers: the scores of the baselines are not stored.
        axes.plot([], [], ' ', label=f'{name.replace("_", " ")}  {value:.4f}')
    axes.set(
      xlabel='good images rejected',
      ylabel='defective images found',
      xlim=(-0.01, 1.01),
      ylim=(-0.01, 1.01),
      aspect='equal',
    )
    # Beside the axes, so that it hides no curve.
    axes.legend(
      title='AUROC', frameon=False, loc='center left', bbox_to_anchor=(1, 0.5)
    )
    return to_svg(figure)


def pro_figure(curves: Mapping[str, Sequence[float] | None]) -> str | None:
  """Draws the PRO curves of the model and of the baselines.

  Args:
    curves: 'fpr', the false-positive rates, and for 'model' and each baseline
      the values at these, or None if undefined.

  Returns:
    The figure, as SVG; None if the model's curve is undefined.
  """
  if curves['model'] is None:
    return None
  with matplotlib.rc_context(STYLE):
    figure, (axes,) = new_figure(1, width=6, height=3.6)
    styles = iter(((GREY, '--'), (VERMILION, '-.'), (GREEN, ':')))
    for name, curve in curves.items():
      if name == 'model':
        axes.plot(curves['fpr'], curve, color=BLUE, label=name, linewidth=2)
      elif name != 'fpr' and curve is not None:
        color, line = next(styles)
        label = f'baseline: {name.replace("_", " ")}'
        axes.plot(
          curves['fpr'], curve, color=color, linestyle=line, label=label
        )
    axes.set(
      xlabel='defect-free pixels rejected',
      ylabel='mean share of a region found',
      xlim=(-0.003, 0.303),
      ylim=(-0.01, 1.01),
    )
    axes.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    return to_svg(figure)


def training_curves(history: History) -> str | None:
  """Draws a small plot for each curve, since their scales differ.

  Args:
    history: for each name the steps and the values at them.

  Returns:
    The figure with all plots, as SVG; None if there is no curve.
  """
  curves = {name: points for name, points in history.items() if len(points[0])}
  if not curves:
    return None
  with matplotlib.rc_context(STYLE | {'font.size': 9}):
    rows = math.ceil(len(curves) / COLUMNS)
    figure, axes = new_figure(len(curves), width=9, height=2.4 * rows)
    for axis, (name, (steps, values)) in zip(axes, curves.items(), strict=True):
      marker = '.' if len(steps) <= _FEW_POINTS else None
      axis.plot(steps, values, color=GREEN, linewidth=1.3, marker=marker)
      # A name may have dollar signs and is no formula.
      axis.set_title(name, fontsize=9, parse_math=False)
      axis.set_xlabel('step')
    return to_svg(figure)


def jpeg_uri(image: np.ndarray) -> str:
  """Encodes an image, uint8 [height, width, 3], as a data: URI of a JPEG."""
  stream = io.BytesIO()
  # No chroma subsampling, which would blur outlines.
  Image.fromarray(image).save(stream, 'JPEG', quality=90, subsampling=0)
  return data_uri('jpeg', stream.getvalue())


def data_uri(kind: str, content: bytes) -> str:
  """Encodes the content of a file of type image/`kind` as a data: URI."""
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'

"""Formats benchmark results as a table."""

from typing import Any

from afgan_jax.config.derived import size_in_words

Figures = dict[str, Any]


def format_table(figures: Figures) -> str:
  """Formats the results of a benchmark as a table.

  Args:
    figures: the result of `run.benchmark`.
  """
  size = size_in_words(figures['image_size'], figures['tile_size'])
  features = figures['base_features']
  width = f'{features} features, ' if features else ''
  rows = [
    f'{figures["platform"]} ({figures["device"]}), JAX {figures["jax"]}, '
    f'{figures["method"]}, {size}, {width}'
    f'{figures["dtype"]}, batches made on the {figures["placement"]}',
    f'{"":8}{"devices":>8}{"batch":>7}{"images/s":>10}{"s/step":>9}{"p5":>9}'
    f'{"p95":>9}{"compile":>9}{"GFLOP":>8}{"GFLOP/s":>9}{"of peak":>9}'
    f'{"memory":>10}',
  ]
  for run in figures['runs']:
    rows += [_format_row(part, run) for part in ('train', 'score', 'input')]
  peaks = {
    r['num_devices']: r['peak_flops_per_second'] for r in figures['runs']
  }
  for count, by_dtype in peaks.items():
    values = ', '.join(f'{k} {v / 1e9:.0f}' for k, v in by_dtype.items())
    rows.append(f'Matrix product on {count} device(s), GFLOP/s: {values}.')
  memory = max(run['peak_memory_bytes'] for run in figures['runs'])
  rows.append(f'Peak memory {memory / 2**30:.2f} GiB.')
  return '\n'.join(rows)


def _format_row(part: str, run: Figures) -> str:
  measured = run[part]

  def cell(name: str, width: int, scale: float, spec: str) -> str:
    value = measured.get(name)
    return f'{"" if value is None else format(value / scale, spec):>{width}}'

  return (
    f'{part:8}{run["num_devices"]:8}{run["batch_size"]:7}'
    + cell('images_per_second', 10, 1, '.2f')
    + cell('seconds_per_step', 9, 1, '.4f')
    + cell('seconds_per_step_p5', 9, 1, '.4f')
    + cell('seconds_per_step_p95', 9, 1, '.4f')
    + cell('compile_seconds', 9, 1, '.1f')
    + cell('flops_per_step', 8, 1e9, '.1f')
    + cell('flops_per_second', 9, 1e9, '.1f')
    + cell('share_of_peak', 9, 1, '.0%')
    + cell('program_memory_bytes', 6, 2**30, '.2f')
    + (' GiB' if 'program_memory_bytes' in measured else '')
  )

"""Draws docs/images/table_2_64px.png from docs/results.

  PYTHONPATH=. python docs/draw_table_2.py

Image AUROC of each method's own score, mean and standard deviation over seeds,
as in Figure 6 of the paper, beside the best of three trivial scores.
"""

import csv
import pathlib
from collections import defaultdict

from afgan_jax.study.figure import draw, make_bars

FOLDER = pathlib.Path(__file__).parent
# By the names that the two files have for them.
CATEGORIES = {
  'toothbrush': 'toothbrush',
  'screw': 'screw',
  'tiles': 'magnetic tile by tile',
  'magnetic_tile_by_tile': 'magnetic tile by tile',
}
LABELS = {
  'anogan': 'AnoGAN',
  'f_anogan': 'f-AnoGAN, 600 steps',
  'ganomaly': 'GANomaly',
  'skip_ganomaly': 'Skip-GANomaly',
  'dagan': 'DAGAN, 2,500 steps',
  'cbigan': 'CBiGAN, 750 steps',
  'dual_attention_gan': 'Dual-Attention GAN',
  'state_4': 'AFGAN (State 4)',
}
TRIVIAL = ('brightness', 'mean_image', 'nearest_image')


def main() -> None:
  """Writes the figure."""
  scores, trivial = defaultdict(list), defaultdict(list)
  for name in ('table_2_64px.csv', 'tables_64px.csv'):
    with open(FOLDER / 'results' / name, newline='', encoding='utf-8') as file:
      for row in csv.DictReader(file):
        category = CATEGORIES[row['category']]
        key = row['variant'], category
        scores[key].append(float(row['image_auroc/paper']))
        trivial[category].append(
          max(float(row[f'image_auroc/{kind}']) for kind in TRIVIAL)
        )
  categories = list(dict.fromkeys(CATEGORIES.values()))
  bars = [
    make_bars(label, [scores[variant, category] for category in categories])
    for variant, label in LABELS.items()
  ]
  best = [[max(trivial[category])] for category in categories]
  figure = draw(categories, [make_bars('best trivial score', best), *bars])
  figure.savefig(FOLDER / 'images' / 'table_2_64px.png', dpi=100)


if __name__ == '__main__':
  main()

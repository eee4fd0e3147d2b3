"""Draws the pictures of the inspection page for the README.

  PYTHONPATH=. python docs/draw_page.py WORKDIR

WORKDIR is a run on the embedded data set, such as that of `make demo`. Its
detector inspects test images of that set; playwright and Chromium show the
page. Writes docs/images/page_desktop.png and page_phone.png.
"""

import functools
import io
import pathlib
import sys
import time

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from afgan_jax.detector import Detector
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from datasets.procedural import ORIGINAL_SIZE, draw_image
from datasets.procedural_defects import DEFECTS
from tests.support import inspection_service as made_up

FOLDER = pathlib.Path(__file__).parent / 'images'
CHROMIUM = '/usr/bin/chromium'
NAME = 'sprocket'
BINS = 16
COLORS = 160


def main() -> None:
  """Draws both pictures."""
  if len(sys.argv) != 2:
    sys.exit('Give the workdir of a run of make demo.')
  cpu_runtime.prepare()
  try:
    detector = Detector.load(sys.argv[1])
    service = made_up.Service(functools.partial(_answer, detector))
    service.models = [_describe(detector)]
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  with made_up.Served(service.app()) as address, sync_playwright() as started:
    browser = started.chromium.launch(
      executable_path=CHROMIUM, args=['--no-sandbox']
    )
    page = browser.new_page(viewport={'width': 1280, 'height': 780})
    _draw(page, address, 'dent_1.png', FOLDER / 'page_desktop.png')
    context = browser.new_context(
      viewport={'width': 360, 'height': 780},
      is_mobile=True,
      has_touch=True,
      color_scheme='dark',
    )
    page = context.new_page()
    _draw(page, address, 'scratch_1.png', FOLDER / 'page_phone.png')


def _describe(detector: Detector) -> dict:
  """Describes the model, with the scores of its held-out good images."""
  calibration = detector.require_calibration()
  _, good = load.load_train(detector.config)
  scores = detector.score(good.pixels, good.regions)['score']
  counts, edges = np.histogram(scores, BINS)
  return made_up.model(
    NAME,
    version=f'{detector.step}-{calibration.digest}',
    step=detector.step,
    threshold=calibration.threshold,
    pixel_threshold=calibration.pixel_threshold,
    false_reject_rate=calibration.false_reject_rate,
    num_images=len(good),
    guarantee=calibration.guarantee(),
    good_scores={'edges': edges.tolist(), 'counts': counts.tolist()},
    image_size=detector.config.image_size,
    limits={'bytes': 32_000_000, 'pixels': 50_000_000},
  )


def _answer(detector: Detector, name: str, image: Image.Image) -> dict:
  """Inspects an image."""
  start = time.perf_counter()
  prediction = detector.predict(np.asarray(image.convert('RGB')))
  milliseconds = 1000 * (time.perf_counter() - start)
  calibration = detector.require_calibration()
  return made_up.make_answer(
    prediction.anomaly_map,
    model=name,
    version=f'{detector.step}-{calibration.digest}',
    score=prediction.score,
    probability=prediction.probability,
    verdict=prediction.verdict,
    threshold=calibration.threshold,
    pixel_threshold=calibration.pixel_threshold,
    regions=prediction.regions,
    note=prediction.note,
    milliseconds=milliseconds,
  )


def _files() -> list[dict]:
  """Draws test images of each kind as files."""
  files = []
  for number, kind in enumerate(('good', *DEFECTS)):
    for index in range(2):
      pixels = draw_image((0, 1, number, index), kind, ORIGINAL_SIZE)
      file = io.BytesIO()
      Image.fromarray(pixels).save(file, 'png')
      name = f'{kind}_{index + 1}.png'
      files.append(
        {'name': name, 'mimeType': 'image/png', 'buffer': file.getvalue()}
      )
  return files


def _draw(page: Page, address: str, name: str, path: pathlib.Path) -> None:
  """Shows images on the page, selects one and saves the picture."""
  page.goto(address)
  expect(page.locator('#trial')).to_be_visible()
  files = _files()
  page.set_input_files('#files', files)
  expect(page.locator('#rows .verdict-cell > span')).to_have_count(
    len(files), timeout=60_000
  )
  page.locator('#rows .name', has_text=name).click()
  expect(page.locator('#legend')).to_be_visible()
  if page.viewport_size['width'] > 800:
    page.evaluate('scrollTo(0, 0)')
  page.mouse.move(0, 0)
  page.wait_for_timeout(300)  # Thumbnails.
  picture = Image.open(io.BytesIO(page.screenshot()))
  picture = picture.convert('RGB')
  # Few colours, so that the file is small, mixed to keep gradients smooth.
  palette = picture.quantize(COLORS, kmeans=1)
  picture.quantize(palette=palette).save(path, optimize=True)


if __name__ == '__main__':
  main()

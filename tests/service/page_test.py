"""The web page in a browser, against a made-up service."""

import contextlib
import csv
import io
import json
import math
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('starlette', reason='The service is not installed.')
pytest.importorskip('uvicorn', reason='The service is not installed.')
playwright = pytest.importorskip(
  'playwright.sync_api', reason='playwright is not installed.'
)
from tests.support import inspection_service as made_up  # noqa: E402
from tests.support.made_up import made_up_detector, part  # noqa: E402

CHROMIUM = pathlib.Path('/usr/bin/chromium')
expect = playwright.expect
PATIENCE = 20_000  # In ms, for a busy machine.
expect.set_options(timeout=PATIENCE)
DESKTOP = {'width': 1280, 'height': 900}
HOSTILE = '<img src=x onerror="window.hacked=1">.png'


@pytest.fixture(scope='module')
def browser():
  if not CHROMIUM.exists():
    pytest.skip(f'There is no {CHROMIUM}.')
  with playwright.sync_playwright() as started:
    browser = started.chromium.launch(
      executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu']
    )
    browser.new_context(viewport=DESKTOP)
    yield browser


@pytest.fixture(scope='module')
def served():
  service = made_up.Service()
  with made_up.Served(service.app()) as address:
    yield service, address


@pytest.fixture
def service(served):
  served[0].reset()
  return served[0]


@pytest.fixture
def address(served, service):
  return served[1]


class Visit:
  """A page, and what went wrong or left the host while it was open."""

  def __init__(self, page, address):
    self.page, self.address = page, address
    self.errors, self.abroad = [], []
    page.set_default_timeout(PATIENCE)
    page.on('pageerror', lambda error: self.errors.append(str(error)))
    page.on('console', self._hear)
    page.on('request', self._watch)

  def _hear(self, message):
    # Chromium's own line on an answer of 4xx, which the page shows as well.
    is_status = message.text.startswith('Failed to load resource')
    if message.type in ('error', 'warning') and not is_status:
      self.errors.append(message.text)

  def _watch(self, request):
    if not request.url.startswith((self.address, 'data:', 'blob:')):
      self.abroad.append(request.url)

  def open(self):
    self.page.goto(self.address)
    expect(self.page.locator('#trial')).to_be_visible()
    return self.page


@pytest.fixture
def visit(browser, address):
  """Opens pages; the browser's options are arguments."""
  with visiting(browser, address) as make:
    yield make


@contextlib.contextmanager
def visiting(browser, address):
  visits = []

  def make(**options):
    # Pages of one context share its cache, which saves most of the time.
    context, *_ = browser.contexts
    if options:
      context = browser.new_context(**{'viewport': DESKTOP, **options})
    visits.append(Visit(context.new_page(), address))
    return visits[-1]

  yield make
  for one in visits:
    one.page.close()
    assert one.errors == [] and one.abroad == []


@pytest.fixture
def page(visit):
  return visit().open()


def picture(name, level, width=40, height=32, kind='png'):
  """An image of one grey level with a brighter corner, as a file."""
  pixels = np.full((height, width), level, np.uint8)
  pixels[:2, :2] += 5
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind)
  return {'name': name, 'mimeType': f'image/{kind}', 'buffer': file.getvalue()}


GOOD, BAD = picture('good.png', 51), picture('bad.png', 204)  # 0.2 and 0.8.


def add(page, *files):
  before = page.locator('#rows tr').count()
  page.set_input_files('#files', list(files))
  expect(page.locator('#rows tr')).to_have_count(before + len(files))
  expect(page.locator('#progress')).to_be_hidden()


def names(page):
  return page.locator('#rows .name').all_inner_texts()


def verdicts(page):
  return page.locator('#rows .verdict-cell > span').all_inner_texts()


def test_an_image_gets_its_verdict(visit):
  one = visit()
  page = one.open()
  add(page, BAD)
  verdict = page.locator('#verdict')
  expect(verdict).to_contain_text('Defective')
  expect(verdict).to_contain_text('0.8')
  expect(verdict).to_contain_text('> threshold 0.5000')
  expect(verdict).to_contain_text('probability of a defect 93 %')
  expect(verdict.locator('svg')).to_be_visible()  # Not by colour alone.
  expect(page.locator('#note')).to_have_text('A made-up remark.')
  expect(page.locator('#measured')).to_contain_text('40 × 32 px')
  expect(page.locator('#measured')).to_contain_text('12 ms')
  assert page.locator('#regions button').count() == 2
  expect(page.locator('#regions')).to_contain_text('10 × 6 px at (8, 4)')
  expect(page.locator('#live')).to_contain_text('bad.png: defective')
  # The pixel threshold is in the middle of the colours.
  assert page.locator('#low').inner_text() == '0.000'
  assert page.locator('#middle').inner_text() == '0.2500'
  assert page.locator('#high').inner_text() == '0.5000'
  assert one.errors == []


def test_colors_are_those_of_inferno(page):
  matplotlib = pytest.importorskip('matplotlib')
  colors = page.evaluate("import('./heat.js').then((heat) => heat.COLORS)")
  theirs = 255 * matplotlib.colormaps['inferno'](np.arange(256))[:, :3]
  assert np.abs(np.array(colors) - theirs).max() <= 2


def test_the_map_is_painted_by_its_values(page):
  matplotlib = pytest.importorskip('matplotlib')
  add(page, GOOD)
  expect(page.locator('#legend')).to_be_visible()
  pixel = page.evaluate("""() => [...document.getElementById('heat')
    .getContext('2d').getImageData(20, 20, 1, 1).data]""")
  # A grey of 51 of a map from 0 to 0.5 is 0.1, a fifth of the colours.
  theirs = 255 * np.array(matplotlib.colormaps['inferno'](0.2))
  assert np.abs(np.array(pixel) - theirs).max() <= 3


def test_opacity_changes_pixels(page):
  add(page, BAD)
  expect(page.locator('#legend')).to_be_visible()
  page.locator('#outlines').uncheck()

  def shown(percent):
    page.locator('#opacity').fill(str(percent))
    image = Image.open(io.BytesIO(page.locator('#stage').screenshot()))
    return np.asarray(image.convert('RGB'))[200, 250].astype(int)

  bare, half, full = shown(0), shown(50), shown(100)
  assert abs(bare - 204).max() <= 1  # The image itself.
  assert abs(half - (bare + full) / 2).max() <= 2
  assert abs(full - bare).max() > 50


def test_the_trial_threshold_changes_verdicts_of_the_page_alone(page, service):
  add(page, GOOD, BAD)
  assert verdicts(page) == ['Good', 'Defective']
  expect(page.locator('#rejected')).to_contain_text('0 to 1 would be rejected')
  field = page.locator('#threshold-value')
  field.fill('0.1')
  expect(page.locator('#count')).to_have_text('0 good · 2 defective')
  assert verdicts(page) == ['Defective', 'Defective']
  # Of the bars, 4 + 1 are above 0.1, and the one of 5 is cut.
  expect(page.locator('#rejected')).to_have_text(
    'Of 10 held-out good images 5 to 10 would be rejected (50 to 100 %).'
  )
  expect(page.locator('#trial-note')).to_contain_text('does not change the')
  expect(page.locator('#verdict')).to_contain_text('service’s verdict is good')
  assert page.locator('#regions button').count() == 0
  field.fill('0.9')
  expect(page.locator('#count')).to_have_text('2 good · 0 defective')
  page.locator('#rows .name').nth(1).click()
  assert page.locator('#regions button').count() == 0
  field.press('Control+A')
  field.press('Delete')
  expect(page.locator('#threshold-error')).to_have_text('Enter a number.')
  page.click('#reset')
  assert verdicts(page) == ['Good', 'Defective']
  expect(field).to_have_value('0.5')
  assert len(service.calls) == 2


def test_the_slider_moves_the_trial_threshold(page):
  add(page, BAD)
  slider = page.locator('#threshold')
  slider.fill(slider.get_attribute('max'))
  expect(page.locator('#verdict')).to_contain_text('Good')
  expect(page.locator('#trial-mark')).to_be_visible()
  slider.focus()
  page.keyboard.press('Home')
  expect(page.locator('#verdict')).to_contain_text('Defective')


def test_at_most_two_images_are_sent_at_a_time(page, service):
  service.delay = 0.1
  levels = [30, 200, 90, 250, 60, 180]
  add(page, *[picture(f'{i}.png', x) for i, x in enumerate(levels)])
  assert service.most == 2
  assert names(page) == [f'{i}.png' for i in range(6)]
  expect(page.locator('#count')).to_have_text('3 good · 3 defective')
  page.get_by_role('button', name='Score').click()
  in_order = [f'{i}.png' for i in np.argsort(levels)]
  expect(page.locator('#rows .name')).to_have_text(in_order[::-1])
  assert page.locator('th[data-key=score]').get_attribute('aria-sort') == (
    'descending'
  )
  page.get_by_role('button', name='Score').click()
  expect(page.locator('#rows .name')).to_have_text(in_order)


def test_a_file_that_is_no_image_has_a_sentence_beside_it(page):
  text = {'name': 'a.txt', 'mimeType': 'text/plain', 'buffer': b'Hello.'}
  add(page, GOOD, text)
  alert = page.locator('#rows tr').nth(1).get_by_role('alert')
  expect(alert).to_have_text('The file is not an image.')
  assert verdicts(page)[0] == 'Good'
  expect(page.locator('#rows button', has_text='Retry').last).to_be_hidden()


def test_large_and_empty_files_are_not_sent(page, service):
  large = {**GOOD, 'name': 'l.png', 'buffer': bytes(3 * made_up.LIMIT)}
  add(page, large, {**GOOD, 'name': 'e.png', 'buffer': b''})
  alerts = page.locator('#rows').get_by_role('alert').all_inner_texts()
  assert alerts == [
    'The file has 300 kB; the service takes up to 100 kB.',
    'The file is empty.',
  ]
  assert service.calls == []


def test_an_image_is_sent_again_once_the_service_is_back(visit):
  page = visit().open()
  page.route('**/predict*', lambda route: route.abort())
  add(page, GOOD)
  alert = page.locator('#rows').get_by_role('alert')
  expect(alert).to_contain_text('The service cannot be reached')
  page.unroute('**/predict*')
  page.locator('#rows').get_by_role('button', name='Retry').click()
  expect(page.locator('#verdict')).to_contain_text('Good')
  expect(alert).to_be_hidden()


def test_a_service_that_is_away_is_said_at_the_start(visit, address):
  page = visit().page
  page.route('**/api/models', lambda route: route.abort())
  page.goto(address)
  expect(page.locator('#away')).to_contain_text('cannot be reached')
  page.unroute('**/api/models')
  page.click('#away-retry')
  expect(page.locator('#trial')).to_be_visible()
  expect(page.locator('#away')).to_be_hidden()


def test_the_token_is_kept_in_the_session(visit, address, service):
  service.token = 'secret'
  page = visit().page
  page.goto(address)
  expect(page.locator('#token')).to_be_focused()
  page.keyboard.type('wrong')
  page.keyboard.press('Enter')
  expect(page.locator('#token-error')).to_contain_text('refused')
  page.fill('#token', 'secret')
  page.keyboard.press('Enter')
  expect(page.locator('#token-form')).to_be_hidden()
  add(page, GOOD)
  expect(page.locator('#verdict')).to_contain_text('Good')
  kept = page.evaluate(
    '[Object.values(sessionStorage), localStorage.length, document.cookie]'
  )
  assert kept == [['secret'], 0, '']
  # The token is changed: images wait for the new one and go on by themselves.
  service.token = 'new'
  add(page, BAD)
  alert = page.locator('#rows tr').nth(1).get_by_role('alert')
  expect(alert).to_contain_text('asks for a token')
  page.fill('#token', 'new')
  page.keyboard.press('Enter')
  expect(page.locator('#count')).to_have_text('1 good · 1 defective')


def test_a_busy_service_is_asked_again_after_the_time_it_says(page, service):
  service.busy = 1
  page.set_input_files('#files', [GOOD])
  expect(page.locator('#rows .state')).to_contain_text('busy')
  expect(page.locator('#verdict')).to_contain_text('Good')
  assert len(service.calls) == 2


def test_the_page_is_used_by_keys_alone(page):
  # From here on, for the browser opens its own dialog until it has heard of it.
  page.on('filechooser', lambda _: None)
  page.keyboard.press('Tab')
  expect(page.locator('.skip')).to_be_focused()
  for _ in range(4):
    if page.evaluate('document.activeElement.id') == 'choose':
      break
    page.keyboard.press('Tab')
  expect(page.locator('#choose')).to_be_focused()
  assert page.evaluate(
    'getComputedStyle(document.activeElement).outlineStyle'
  ) == ('solid')
  with page.expect_file_chooser() as chooser:
    page.keyboard.press('Enter')
  chooser.value.set_files([GOOD, BAD, picture('third.png', 250)])
  expect(page.locator('#count')).to_have_text('1 good · 2 defective')
  _tab_to(page, '#rows .name >> nth=0')
  page.keyboard.press('ArrowDown')
  expect(page.locator('#detail-title')).to_have_text('bad.png')
  page.keyboard.press('End')
  page.keyboard.press('Delete')
  assert names(page) == ['good.png', 'bad.png']
  expect(page.locator('#rows .name').nth(1)).to_be_focused()
  _tab_to(page, '#stage')
  page.keyboard.press('+')
  expect(page.locator('.stage.zoomed')).to_be_visible()
  page.keyboard.press('0')
  expect(page.locator('.stage.zoomed')).to_have_count(0)
  page.keyboard.press('h')
  expect(page.locator('#heat')).to_be_hidden()
  _tab_to(page, '#regions button >> nth=1')
  expect(page.locator('#boxes g').nth(1)).to_have_class('active')
  _tab_to(page, '#threshold')
  page.keyboard.press('End')
  expect(page.locator('#verdict')).to_contain_text('Good')
  _tab_to(page, '#reset')
  page.keyboard.press('Enter')
  expect(page.locator('#verdict')).to_contain_text('Defective')


def _tab_to(page, selector):
  """Presses Tab until an element has the focus."""
  target = page.locator(selector)
  for _ in range(30):
    page.keyboard.press('Tab')
    if target.evaluate('(node) => node === document.activeElement'):
      return
  raise AssertionError(f'{selector} is not reached by Tab.')


@pytest.mark.parametrize('width', [320, 360])
def test_a_phone_has_no_horizontal_scroll(visit, width):
  viewport = {'width': width, 'height': 700}
  page = visit(viewport=viewport, is_mobile=True, has_touch=True).open()
  long = 'camera_7_2026-11-27T03-15-00_' + 60 * 'x' + '.png'
  text = {**GOOD, 'name': 60 * 'y' + '.txt', 'buffer': b'Hello.'}
  add(page, {**BAD, 'name': long}, GOOD, text)
  page.click('summary')
  for index in range(3):
    page.locator('#rows .name').nth(index).click()
    page.fill('#threshold-value', '0.123456')
    assert page.evaluate('document.documentElement.scrollWidth') == width
  expect(page.locator('#camera')).to_be_visible()
  sizes = page.locator('#scroll').evaluate(
    '(n) => [n.scrollWidth - n.clientWidth,'
    " n.querySelector('.who').clientWidth]"
  )
  assert sizes[0] == 0 and sizes[1] > width / 5


def test_markup_in_names_and_answers_is_text(page, service):
  hostile = {**BAD, 'name': HOSTILE}
  page.route(
    '**/predict*',
    lambda route: route.fulfill(
      json={**made_up.answer('part', Image.new('L', (9, 9))), 'note': HOSTILE}
    ),
  )
  add(page, hostile)
  assert names(page) == [HOSTILE]
  expect(page.locator('#detail-title')).to_have_text(HOSTILE)
  expect(page.locator('#note')).to_contain_text(HOSTILE)
  assert page.locator('img[src=x]').count() == 0
  assert page.evaluate('window.hacked') is None


def test_results_are_downloaded(page):
  formula = {**BAD, 'name': '=1+1,"a".png'}
  text = {'name': 'a.txt', 'mimeType': 'text/plain', 'buffer': b'Hello.'}
  add(page, GOOD, formula, text)
  page.fill('#threshold-value', '0.9')
  with page.expect_download() as download:
    page.click('#download')
  assert download.value.suggested_filename.endswith('.csv')
  content = pathlib.Path(download.value.path()).read_bytes().decode()
  rows = list(csv.DictReader(io.StringIO(content, newline='')))
  assert [row['file'] for row in rows] == [
    *('good.png', '\'=1+1,"a".png', 'a.txt')
  ]
  grey = np.full((32, 40), 204.0)
  grey[:2, :2] += 5
  assert float(rows[1]['score']) == pytest.approx(grey.mean() / 255, abs=1e-12)
  assert [row['verdict'] for row in rows] == ['good', 'defective', '']
  assert [row['trial_verdict'] for row in rows] == ['good', 'good', '']
  assert rows[1]['trial_threshold'] == '0.9' and rows[1]['threshold'] == '0.5'
  assert json.loads(rows[1]['regions'])[1]['area'] == 9
  assert rows[2]['error'] == 'The file is not an image.'


def test_the_model_is_chosen(page, service, visit):
  service.models = [made_up.model('a'), made_up.model('b', threshold=0.1)]
  page = visit().open()
  add(page, GOOD)
  page.select_option('#model', 'b')
  expect(page.locator('#threshold-value')).to_have_value('0.1')
  page.get_by_role('button', name='Inspect 1 image by b').click()
  expect(page.locator('#measured')).to_contain_text('b, version 1a2b3c4d')
  assert [name for name, _ in service.calls] == ['a', 'b']


def test_a_model_without_scores_of_good_images(service, visit):
  service.models = [made_up.model(good_scores=None, problem='It is damaged.')]
  page = visit().open()
  add(page, GOOD, BAD)
  expect(page.locator('#histogram-text')).not_to_contain_text('bars')
  assert page.locator('#histogram .bar').count() == 0
  expect(page.locator('#rejected')).to_contain_text('At most one good image')
  page.fill('#threshold-value', '0.3')
  expect(page.locator('#rejected')).to_contain_text('is not known')
  assert page.locator('#histogram .mark-good').count() == 1
  expect(page.locator('#outdated')).to_contain_text('It is damaged.')


def test_a_changed_threshold_of_the_service_is_noticed(service, visit):
  service.models = [made_up.model(version='old', threshold=0.3)]
  page = visit().open()
  expect(page.locator('#threshold-value')).to_have_value('0.3')
  service.models = [made_up.model()]
  add(page, GOOD)
  expect(page.locator('#threshold-value')).to_have_value('0.5')


def test_the_image_is_moved_and_enlarged_by_the_mouse(page):
  add(page, picture('large.png', 204, 200, 160))
  expect(page.locator('#legend')).to_be_visible()
  stage, layers = page.locator('#stage'), page.locator('#layers')
  box = stage.bounding_box()
  x, y = box['x'] + 200, box['y'] + 150
  whole = layers.bounding_box()
  page.mouse.move(x, y)
  page.keyboard.down('Control')
  page.mouse.wheel(0, -300)
  page.keyboard.up('Control')
  expect(page.locator('.stage.zoomed')).to_be_visible()
  large = layers.bounding_box()
  assert large['width'] == pytest.approx(math.e * whole['width'], rel=1e-3)
  # The point under the pointer stays in place.
  assert (x - large['x']) / large['width'] == pytest.approx(
    (x - whole['x']) / whole['width'], abs=1e-3
  )
  page.mouse.down()
  page.mouse.move(x + 30, y + 20)
  page.mouse.up()
  page.mouse.move(x - 50, y)  # Without a button nothing moves.
  moved = layers.bounding_box()
  assert moved['x'] - large['x'] == pytest.approx(30, abs=0.1)
  assert moved['y'] - large['y'] == pytest.approx(20, abs=0.1)
  page.locator('#regions button').first.click()
  region = layers.bounding_box()
  scale = region['width'] / 200
  assert scale == pytest.approx(8)
  # At (8, 4), it cannot be in the middle: the image has no more to the left.
  assert region['x'] == pytest.approx(box['x'], abs=1)
  outline = page.locator('#boxes .line').first.bounding_box()
  assert outline['width'] == pytest.approx(10 * scale + 4, abs=4)
  assert outline['x'] - box['x'] == pytest.approx(8 * scale - 2, abs=2)


def test_files_are_dropped_and_pasted(page):
  for event, field in [('drop', 'dataTransfer'), ('paste', 'clipboardData')]:
    page.evaluate(
      """([event, field, bytes]) => {
        const file = new File([new Uint8Array(bytes)], 'image.png');
        const data = new DataTransfer();
        data.items.add(file);
        const options = { bubbles: true, cancelable: true };
        const made = new Event(event, options);
        Object.defineProperty(made, field, { value: data });
        document.body.dispatchEvent(made);
      }""",
      [event, field, list(GOOD['buffer'])],
    )
  expect(page.locator('#count')).to_have_text('2 good · 0 defective')
  first, second = names(page)
  assert first == 'image.png' and second.startswith('pasted')


def test_the_map_of_a_file_that_browsers_cannot_show(page):
  add(page, picture('scan.tif', 51, kind='tiff'))
  expect(page.locator('#undecoded')).to_be_visible()
  expect(page.locator('#heat')).to_be_visible()
  assert page.locator('#heat').evaluate('(n) => n.style.opacity') == '1'


def test_dark_and_still_if_the_user_wants_it(visit):
  def background(**options):
    page = visit(**options).open()
    return page.evaluate(
      '[getComputedStyle(document.body).backgroundColor,'
      " getComputedStyle(document.querySelector('button')).transitionDuration]"
    )

  light, moving = background(color_scheme='light')
  dark, still = background(color_scheme='dark', reduced_motion='reduce')
  assert _brightness(light) > 200 > 60 > _brightness(dark)
  assert moving != '0s' and still == '0s'


def _brightness(color):
  return np.mean([int(part) for part in re.findall(r'\d+', color)[:3]])


def test_the_policy_has_nothing_to_forbid():
  text = (made_up.PAGE / 'index.html').read_text('utf-8')
  assert not re.search(
    r'<style|\sstyle=|\son\w+=|<script>|https?://(?!www.w3)', text
  )
  for path in made_up.PAGE.glob('*.js'):
    script = path.read_text('utf-8')
    assert not re.search('innerHTML|outerHTML|insertAdjacent|eval\\(', script)


def test_files_of_the_page_are_short():
  lengths = {
    path.name: len(path.read_text('utf-8').splitlines())
    for path in made_up.PAGE.iterdir()
  }
  assert lengths and {k: n for k, n in lengths.items() if n > 250} == {}


def test_the_page_of_the_service_itself(browser, tmp_path):
  support = pytest.importorskip(
    'tests.support.service', reason='The service is not there.'
  )
  limits = pytest.importorskip('afgan_jax.service.limits').Limits(
    max_pixels=30_000, deadline_ms=1
  )
  image = part(height=60, width=90)
  expected = made_up_detector().predict(image)
  files = [
    {'name': name, 'mimeType': 'image/png', 'buffer': support.encode(pixels)}
    for name, pixels in [('bad.png', image), ('good.png', part(defect=False))]
  ]
  large = support.encode(np.zeros((200, 200), np.uint8))
  options = {'tokens': {'test': support.TOKEN}, 'names': ('one', 'two')}
  with (
    support.listening(tmp_path, limits=limits, **options) as (port, _, log),
    visiting(browser, f'http://127.0.0.1:{port}') as make,
  ):
    page = make().page
    page.goto(f'http://127.0.0.1:{port}')
    page.fill('#token', support.TOKEN)
    page.keyboard.press('Enter')
    expect(page.locator('#trial')).to_be_visible()
    page.select_option('#model', 'two')
    add(
      page,
      *files,
      {'name': 'a.txt', 'mimeType': 'text/plain', 'buffer': b'Hello.'},
      {'name': 'large.png', 'mimeType': 'image/png', 'buffer': large},
    )
    assert verdicts(page) == ['Defective', 'Good']
    expect(page.locator('#verdict')).to_contain_text(f'{expected.score:.4g}')
    (region,) = expected.regions
    expect(page.locator('#regions')).to_contain_text(
      f'{region["width"]} × {region["height"]} px at '
      f'({region["x"]}, {region["y"]})'
    )
    assert page.locator('#heat').evaluate('(n) => [n.width, n.height]') == [
      *(90, 60)
    ]
    sentences = page.locator('#rows').get_by_role('alert').all_inner_texts()
    assert len(sentences) == 2 and 'pixels' in sentences[1]
    assert all(sentence.endswith('.') for sentence in sentences)


def test_the_service_serves_each_file_of_the_page():
  routes = pytest.importorskip(
    'afgan_jax.service.routes.page', reason='The service is not there.'
  )
  expected = {f'/{path.name}' for path in made_up.PAGE.iterdir()}
  assert expected - {'/index.html'} | {'/'} <= set(routes.static_paths())


def test_a_file_that_has_gone_and_a_dropped_folder_are_told(page, tmp_path):
  path = tmp_path / 'gone.png'
  path.write_bytes(GOOD['buffer'])
  page.route('**/predict*', lambda route: route.abort())
  page.set_input_files('#files', path)
  alert = page.locator('#rows').get_by_role('alert')
  expect(alert).to_contain_text('cannot be reached')
  path.unlink()
  page.locator('#rows').get_by_role('button', name='Retry').click()
  expect(alert).to_have_text(
    'The file cannot be read: it was changed, moved or removed.'
  )
  page.evaluate("""() => {
    const made = new Event('drop', { bubbles: true, cancelable: true });
    const folder = { kind: 'file', webkitGetAsEntry: () => ({
      isDirectory: true }) };
    const data = { items: [folder], files: [new File(['x'], 'folder')] };
    Object.defineProperty(made, 'dataTransfer', { value: data });
    document.body.dispatchEvent(made);
  }""")
  expect(page.locator('#refused')).to_contain_text('Folders are not taken')
  assert page.locator('#rows tr').count() == 1

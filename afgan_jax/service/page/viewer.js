/** Shows an image with its heat map and the outlines of its regions. */

import { byId, element, number, plural, setText, showText, svg }
  from './dom.js';
import { paint, paintScale, rangeOf } from './heat.js';
import { Zoom } from './zoom.js';

const MOST = 30; // Regions that are outlined and listed, the largest ones.

export class Viewer {
  #item = null;
  #result = null;
  #url = null;
  #regions = [];
  #active = -1; // Number of the highlighted region.

  constructor(session) {
    this.session = session;
    this.stage = byId('stage');
    this.picture = byId('picture');
    this.heat = byId('heat');
    this.opacity = byId('opacity');
    this.zoom = new Zoom(this.stage, () => this.#draw());
    paintScale(byId('scale'));
    this.#listen();
    session.subscribe(() => this.update());
  }

  #listen() {
    byId('zoom-in').addEventListener('click', () => this.zoom.in());
    byId('zoom-out').addEventListener('click', () => this.zoom.out());
    byId('fit').addEventListener('click', () => this.zoom.fit());
    byId('outlines').addEventListener('change', () => this.#draw());
    this.opacity.addEventListener('input', () => this.#showOpacity());
    this.stage.addEventListener('keydown', (event) => {
      if (event.key.toLowerCase() === 'h' && !event.ctrlKey && !event.metaKey) {
        this.heat.hidden = !this.heat.hidden;
      }
    });
    this.picture.addEventListener('load', () => this.#pictureLoaded(true));
    this.picture.addEventListener('error', () => this.#pictureLoaded(false));
    this.#showOpacity();
  }

  /** Shows the selected image; loads it only if it is another one. */
  update() {
    const item = this.session.selected;
    if (item !== this.#item) {
      this.#open(item);
    }
    const result = item?.state === 'done' ? item.result : null;
    if (result !== this.#result) {
      this.#result = result;
      this.#showMap(item, result);
    }
    if (item) {
      this.#showRegions(item);
    }
  }

  #open(item) {
    this.#item = item;
    this.#result = undefined; // Of no image: the map is drawn anew.
    URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.picture.removeAttribute('src');
    byId('undecoded').hidden = true;
    if (item) {
      this.#url = URL.createObjectURL(item.file);
      this.picture.src = this.#url;
      this.picture.alt = item.name;
    }
  }

  #pictureLoaded(isDecoded) {
    const { naturalWidth, naturalHeight } = this.picture;
    this.picture.hidden = !isDecoded;
    byId('view').hidden = !isDecoded && !this.#result;
    byId('undecoded').hidden = isDecoded || !this.#result;
    if (isDecoded && !this.#result) {
      this.#setSize(naturalWidth || 300, naturalHeight || 300);
    }
    this.#showOpacity();
  }

  #setSize(width, height) {
    // The CSS object model, which the policy allows, unlike style attributes.
    const { style } = byId('layers');
    style.width = `${width}px`;
    style.height = `${height}px`;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.zoom.open(width, height);
  }

  async #showMap(item, result) {
    this.heat.hidden = true;
    byId('legend').hidden = true;
    if (!result) {
      return;
    }
    byId('view').hidden = false;
    this.#setSize(result.width, result.height);
    if (!item.map) {
      return;
    }
    const range = rangeOf(result);
    let put;
    try {
      put = await paint(item.map, result.map, range);
    } catch {
      showText(byId('problem'), 'The heat map in the answer cannot be read.');
      return;
    }
    if (this.#result === result) {
      put(this.heat);
      this.heat.hidden = false;
      const { complete, naturalWidth } = this.picture;
      this.#pictureLoaded(!complete || naturalWidth > 0);
      this.#showLegend(result, range);
    }
  }

  #showLegend({ map }, range) {
    setText(byId('low'), number(range.low));
    const more = map.high > range.high ? '≥ ' : '';
    setText(byId('high'), more + number(range.high));
    const middle = (range.low + range.high) / 2;
    setText(byId('middle'), number(middle));
    const common = range.isCommon
      ? ' The middle colour is the pixel threshold in all images.' : '';
    setText(byId('legend-text'),
      `Anomaly map of this image: ${number(map.low)} to ${number(map.high)}.`
      + common);
    byId('legend').hidden = false;
  }

  #showOpacity() {
    const isAlone = this.picture.hidden;
    this.opacity.disabled = isAlone;
    this.heat.style.opacity = isAlone ? 1 : this.opacity.value / 100;
    setText(byId('opacity-value'), `${isAlone ? 100 : this.opacity.value} %`);
  }

  #showRegions(item) {
    const verdict = this.session.verdictOf(item);
    const isShown = verdict === 'defective';
    const all = item.result?.regions ?? [];
    const regions = isShown ? all.slice(0, MOST) : [];
    byId('regions-part').hidden = verdict === null;
    setText(byId('regions-text'), this.#describe(item, verdict, all));
    if (regions.length === this.#regions.length
      && regions.every((region, i) => region === this.#regions[i])) {
      return;
    }
    this.#regions = regions;
    this.#active = -1;
    const entries = regions.map((region, i) => this.#entry(region, i));
    byId('regions').replaceChildren(...entries);
    byId('boxes').replaceChildren(...regions.map((_, i) => makeBox(i)));
    this.#draw();
  }

  #describe(item, verdict, all) {
    if (verdict === 'good') {
      return item.result.verdict === 'good'
        ? 'A good image has none.'
        : 'Good by the trial threshold, so none are shown.';
    }
    if (verdict === 'defective' && item.result.verdict === 'good') {
      return 'Defective by the trial threshold alone: the service lists '
        + 'regions only of images that it rejects itself.';
    }
    if (!all.length) {
      return 'None: the map is nowhere above the pixel threshold.';
    }
    return all.length > MOST
      ? `The ${MOST} largest of ${all.length}; the CSV file has all.`
      : '';
  }

  #entry(region, index) {
    const { x, y, width, height, area } = region;
    const text = `${width} × ${height} px at (${x}, ${y})`;
    const button = element('button', { type: 'button' },
      element('b', { class: 'tag' }, `${index + 1}`),
      element('span', {}, text),
      element('span', { class: 'dim' }, plural(area, 'pixel')));
    const entry = element('li', {}, button);
    for (const name of ['focus', 'pointerenter']) {
      button.addEventListener(name, () => this.#highlight(index));
    }
    for (const name of ['blur', 'pointerleave']) {
      button.addEventListener(name, () => this.#highlight(-1));
    }
    button.addEventListener('click', () => {
      this.zoom.show(region);
      this.#highlight(index);
    });
    return entry;
  }

  #highlight(index) {
    this.#active = index;
    this.#draw();
  }

  /** Places the layers and the outlines by the present zoom. */
  #draw() {
    const { scale, x, y } = this.zoom.view;
    const layers = byId('layers');
    layers.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.stage.classList.toggle('zoomed', !this.zoom.isFit);
    this.stage.classList.toggle('coarse', scale >= 3);
    setText(byId('zoom'), `${Math.round(100 * scale)} %`);
    const boxes = byId('boxes');
    boxes.classList.toggle('off', !byId('outlines').checked);
    [...boxes.children].forEach((group, i) => {
      group.classList.toggle('active', i === this.#active);
      place(group, this.#regions[i], this.zoom.view);
    });
    [...byId('regions').children].forEach((entry, i) => {
      entry.classList.toggle('active', i === this.#active);
    });
  }
}

function makeBox(index) {
  return svg('g', {},
    svg('rect', { class: 'halo' }), svg('rect', { class: 'line' }),
    svg('text', {}, `${index + 1}`));
}

/** Moves an outline, with room for its line around the region. */
function place(group, region, { scale, x, y }) {
  const [left, top] = [x + scale * region.x - 2, y + scale * region.y - 2];
  for (const rect of group.querySelectorAll('rect')) {
    rect.setAttribute('x', left);
    rect.setAttribute('y', top);
    rect.setAttribute('width', scale * region.width + 4);
    rect.setAttribute('height', scale * region.height + 4);
  }
  const text = group.querySelector('text');
  text.setAttribute('x', left + 1);
  text.setAttribute('y', top > 16 ? top - 5 : top + scale * region.height + 18);
}

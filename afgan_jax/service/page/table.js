/** Shows the images of the session as a table. */

import { byId, element, icon, number, percent, plural, setText, showText }
  from './dom.js';

const WORDS = { good: 'Good', defective: 'Defective' };
const STATES = {
  waiting: () => 'waiting',
  sending: (item) => `sending, ${Math.round(100 * item.sent)} %`,
  inspecting: () => 'being inspected',
  busy: () => 'the service is busy; it is sent again soon',
};
const SIDE = 88; // Of thumbnails, in pixels.

export class Table {
  #rows = new Map(); // By item.
  #drawing = Promise.resolve();
  #selected = null;

  /**
   * @param {Session} session
   * @param {Inspector} inspector
   */
  constructor(session, inspector) {
    this.session = session;
    this.inspector = inspector;
    this.body = byId('rows');
    this.heads = [...document.querySelectorAll('th[data-key]')];
    for (const head of this.heads) {
      head.firstChild.addEventListener('click', () => this.#sort(head));
    }
    this.body.addEventListener('keydown', (event) => this.#key(event));
    session.subscribe(() => this.update());
  }

  /** Shows the present state. */
  update() {
    const { session } = this;
    const items = session.sorted();
    for (const item of this.#rows.keys()) {
      if (!session.items.includes(item)) {
        this.#rows.delete(item);
      }
    }
    const rows = items.map((item) => this.#row(item));
    if (rows.some((row, i) => this.body.children[i] !== row.line)
      || this.body.children.length !== rows.length) {
      const focused = document.activeElement;
      this.body.replaceChildren(...rows.map((row) => row.line));
      if (focused !== document.activeElement && focused.isConnected) {
        focused.focus({ preventScroll: true });
      }
    }
    items.forEach((item) => this.#fill(item));
    if (this.#selected !== session.selected) {
      this.#selected = session.selected;
      this.#reveal(this.#rows.get(session.selected)?.line);
    }
    this.#showCounts(items);
    this.#showOrder();
  }

  #row(item) {
    if (!this.#rows.has(item)) {
      this.#rows.set(item, this.#makeRow(item));
      this.#drawThumbnail(item);
    }
    return this.#rows.get(item);
  }

  #makeRow(item) {
    const row = {
      picture: element('canvas', { class: 'thumbnail', width: SIDE,
        height: SIDE, 'aria-hidden': 'true' }),
      button: element('button', { type: 'button', class: 'name',
        title: item.name }, ...withBreaks(item.name)),
      state: element('span', { class: 'state' }),
      error: element('span', { class: 'problem', role: 'alert', hidden: true }),
      retry: element('button', { type: 'button', hidden: true }, 'Retry'),
      verdict: element('td', { class: 'verdict-cell' }),
      score: element('td', { class: 'number' }),
      probability: element('td', { class: 'number wide' }),
      shown: '',
    };
    row.retry.addEventListener('click', () => this.inspector.start(item));
    row.who = element('td', { class: 'who' }, row.button, row.state, row.error,
      row.retry);
    row.line = element('tr', {},
      element('td', { class: 'picture' }, row.picture), row.who,
      row.verdict, row.score, row.probability);
    row.line.addEventListener('click', () => this.#select(item));
    return row;
  }

  /** Draws one thumbnail after the other, for each decodes a whole image. */
  #drawThumbnail(item) {
    const { picture } = this.#rows.get(item);
    this.#drawing = this.#drawing.then(() => thumbnail(picture, item.file));
  }

  #fill(item) {
    const { session } = this;
    const row = this.#rows.get(item);
    const isSelected = item === session.selected;
    row.line.classList.toggle('selected', isSelected);
    row.button.tabIndex = isSelected ? 0 : -1;
    row.button.setAttribute('aria-current', isSelected);
    setText(row.state, STATES[item.state]?.(item) ?? '');
    showText(row.error, item.error);
    // The sentence takes the place of the verdict and the numbers.
    row.line.classList.toggle('failed', Boolean(item.error));
    row.who.colSpan = item.error ? 4 : 1;
    row.retry.hidden = !item.canRetry;
    setText(row.score, item.result ? number(item.result.score) : '');
    setText(row.probability,
      item.result ? percent(item.result.probability) : '');
    this.#fillVerdict(item, row);
  }

  #fillVerdict(item, row) {
    const verdict = this.session.verdictOf(item);
    const kind = verdict ?? 'none';
    const isTrial = verdict !== null && verdict !== item.result.verdict;
    const shown = `${kind} ${isTrial}`;
    if (row.shown === shown) {
      return;
    }
    row.shown = shown;
    row.verdict.className = `verdict-cell ${kind}`;
    row.verdict.replaceChildren();
    if (kind !== 'none') {
      row.verdict.append(icon(kind), element('span', {}, WORDS[kind]));
    }
    if (isTrial) {
      row.verdict.append(element('small', { class: 'mark' }, 'Trial'));
    }
  }

  #showCounts(items) {
    const verdicts = items.map((item) => this.session.verdictOf(item));
    const count = (kind) => verdicts.filter((one) => one === kind).length;
    const failed = items.filter((item) => item.state === 'failed').length;
    const again = items.filter((item) => item.canRetry).length;
    const running = items.filter((item) => item.isRunning).length;
    const parts = [`${count('good')} good`, `${count('defective')} defective`];
    if (failed) {
      parts.push(plural(failed, 'error'));
    }
    setText(byId('count'), items.length ? parts.join(' · ') : '');
    byId('empty').hidden = items.length > 0;
    for (const id of ['scroll', 'list-buttons', 'list-help']) {
      byId(id).hidden = !items.length;
    }
    byId('retry-all').hidden = again < 2;
    byId('download').disabled = running === items.length;
    byId('progress').hidden = !running;
    if (running) {
      const bar = byId('progress-bar');
      bar.max = items.length;
      bar.value = items.length - running;
      setText(byId('progress-text'), `${bar.value} of ${bar.max} done`);
    }
  }

  #showOrder() {
    const { key, isDescending } = this.session.sort;
    for (const head of this.heads) {
      const order = isDescending ? 'descending' : 'ascending';
      head.setAttribute('aria-sort', head.dataset.key === key ? order : 'none');
    }
  }

  #sort(head) {
    const { sort } = this.session;
    const { key } = head.dataset;
    // Scores are wanted from the highest down, names from the first up.
    const isDescending = sort.key === key ? !sort.isDescending : key !== 'name'
      && key !== 'verdict';
    this.session.sort = { key, isDescending };
    this.session.changed();
  }

  /** Scrolls the table, not the page, to a row. */
  #reveal(line) {
    const frame = byId('scroll');
    if (line) {
      const top = line.offsetTop - this.heads[0].offsetHeight;
      const bottom = line.offsetTop + line.offsetHeight - frame.clientHeight;
      frame.scrollTop = Math.max(Math.min(frame.scrollTop, top), bottom);
    }
  }

  #select(item) {
    this.session.select(item);
    this.#rows.get(item)?.button.focus({ preventScroll: true });
    const { top } = byId('detail').getBoundingClientRect();
    if (top > window.innerHeight - 200) { // On a phone it is below the table.
      byId('detail').scrollIntoView();
    }
  }

  #key(event) {
    const items = this.session.sorted();
    const place = items.indexOf(this.session.selected);
    const target = {
      ArrowUp: items[place - 1],
      ArrowDown: items[place + 1],
      Home: items[0],
      End: items.at(-1),
    }[event.key];
    if (event.key === 'Delete') {
      event.preventDefault();
      const { selected } = this.session;
      this.inspector.remove(selected);
      this.#focusSelected();
    } else if (target) {
      event.preventDefault();
      this.session.select(target);
      this.#focusSelected();
    }
  }

  #focusSelected() {
    this.update();
    const row = this.#rows.get(this.session.selected);
    (row?.button ?? byId('choose')).focus({ preventScroll: true });
  }
}

async function thumbnail(canvas, file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = SIDE / Math.min(bitmap.width, bitmap.height);
    const width = scale * bitmap.width;
    const height = scale * bitmap.height;
    const [left, top] = [(SIDE - width) / 2, (SIDE - height) / 2];
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, left, top, width, height);
    bitmap.close();
  } catch {
    // Browsers do not show every kind of file; the row stands without.
  }
}

/** Lets a name break after its parts. */
function withBreaks(name) {
  const parts = name.split(/(?<=[_\- ])|(?=\.)/);
  return parts.flatMap((part) => [part, element('wbr')]);
}

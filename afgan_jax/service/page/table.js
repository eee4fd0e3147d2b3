/** Shows the images of the session as a table. */

import { byId, plural, setText } from './dom.js';
import { Row } from './row.js';

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
    const present = new Set(items);
    for (const item of this.#rows.keys()) {
      if (!present.has(item)) {
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
    rows.forEach((row) => row.update(session));
    if (this.#selected !== session.selected) {
      this.#selected = session.selected;
      this.#reveal(this.#rows.get(session.selected)?.line);
    }
    this.#showCounts(items);
    this.#showOrder();
  }

  #row(item) {
    if (!this.#rows.has(item)) {
      const row = new Row(item, {
        select: () => this.#select(item),
        retry: () => this.inspector.start(item),
      });
      this.#rows.set(item, row);
      // One after the other, for each decodes a whole image.
      this.#drawing = this.#drawing.then(() => row.drawThumbnail());
    }
    return this.#rows.get(item);
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

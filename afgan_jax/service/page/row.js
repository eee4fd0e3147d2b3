/** Shows one image of the session in a row of the table. */

import { changes, element, icon, number, percent, setText, showText }
  from './dom.js';

const WORDS = { good: 'Good', defective: 'Defective' };
const STATES = {
  waiting: () => 'waiting',
  sending: (item) => `sending, ${Math.round(100 * item.sent)} %`,
  inspecting: () => 'being inspected',
  busy: () => 'the service is busy; it is sent again soon',
};
const SIDE = 88; // Of thumbnails, in pixels.

export class Row {
  #verdict = element('td', { class: 'verdict-cell' });
  #score = element('td', { class: 'number' });
  #probability = element('td', { class: 'number wide' });
  #state = element('span', { class: 'state' });
  #error = element('span', { class: 'problem', role: 'alert', hidden: true });
  #retry = element('button', { type: 'button', hidden: true }, 'Retry');
  #picture = element('canvas', { class: 'thumbnail', width: SIDE, height: SIDE,
    'aria-hidden': 'true' });
  #isNew = changes();
  #isNewVerdict = changes();

  /**
   * @param {Item} item
   * @param {Object} actions `select()` and `retry()`.
   */
  constructor(item, { select, retry }) {
    this.item = item;
    this.button = element('button', { type: 'button', class: 'name',
      title: item.name }, ...withBreaks(item.name));
    this.who = element('td', { class: 'who' }, this.button, this.#state,
      this.#error, this.#retry);
    this.line = element('tr', {},
      element('td', { class: 'picture' }, this.#picture), this.who,
      this.#verdict, this.#score, this.#probability);
    this.#retry.addEventListener('click', retry);
    this.line.addEventListener('click', select);
  }

  /** Shows the present state; touches the page only where it has changed. */
  update(session) {
    const { item } = this;
    const { result, error } = item;
    const isSelected = item === session.selected;
    const verdict = session.verdictOf(item);
    const isTrial = verdict !== null && verdict !== result.verdict;
    const state = STATES[item.state]?.(item) ?? '';
    const again = item.canRetry;
    const shown = [isSelected, verdict, isTrial, state, error, again];
    if (!this.#isNew([...shown, result?.score, result?.probability])) {
      return;
    }
    this.line.classList.toggle('selected', isSelected);
    this.button.tabIndex = isSelected ? 0 : -1;
    this.button.setAttribute('aria-current', isSelected);
    setText(this.#state, state);
    showText(this.#error, error);
    // The sentence takes the place of the verdict and the score.
    this.line.classList.toggle('failed', Boolean(error));
    this.who.colSpan = error ? 3 : 1;
    this.#retry.hidden = !again;
    setText(this.#score, result ? number(result.score) : '');
    setText(this.#probability, result ? percent(result.probability) : '');
    this.#showVerdict(verdict, isTrial);
  }

  #showVerdict(verdict, isTrial) {
    if (!this.#isNewVerdict([verdict, isTrial])) {
      return;
    }
    this.#verdict.className = `verdict-cell ${verdict ?? ''}`;
    this.#verdict.replaceChildren();
    if (verdict) {
      this.#verdict.append(icon(verdict), element('span', {}, WORDS[verdict]));
    }
    if (isTrial) {
      this.#verdict.append(element('small', { class: 'mark' }, 'Trial'));
    }
  }

  /** Draws the middle of the image, if the browser can decode the file. */
  async drawThumbnail() {
    try {
      const bitmap = await createImageBitmap(this.item.file);
      const scale = SIDE / Math.min(bitmap.width, bitmap.height);
      const width = scale * bitmap.width;
      const height = scale * bitmap.height;
      const [left, top] = [(SIDE - width) / 2, (SIDE - height) / 2];
      const context = this.#picture.getContext('2d');
      context.imageSmoothingQuality = 'high';
      context.drawImage(bitmap, left, top, width, height);
      bitmap.close();
    } catch {
      // Browsers do not show every kind of file; the row stands without.
    }
  }
}

/** Lets a name break after its parts. */
function withBreaks(name) {
  const parts = name.split(/(?<=[_\- ])|(?=\.)/);
  return parts.flatMap((part) => [part, element('wbr')]);
}

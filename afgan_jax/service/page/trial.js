/** Lets the user try another threshold on the images of this page. */

import { byId, changes, number, percent, plural, setText, showText }
  from './dom.js';
import { axisRange, drawHistogram, rejected } from './histogram.js';

const STEPS = 400; // Of the slider.
const PAUSE = 700; // In ms.

export class Trial {
  constructor(session) {
    this.session = session;
    this.reach = -Infinity; // The axis shows at least this threshold.
    this.width = 0; // Of the histogram; it is measured only if it changes.
    this.isNew = changes();
    this.slider = byId('threshold');
    this.field = byId('threshold-value');
    this.slider.addEventListener('input', () =>
      this.#set(Number(this.slider.value)));
    this.field.addEventListener('input', () => this.#read());
    this.field.addEventListener('blur', () => this.#leave());
    byId('reset').addEventListener('click', () => {
      this.reach = -Infinity;
      session.setTrial(null);
      this.#leave();
    });
    const frame = byId('histogram').parentNode;
    new ResizeObserver(([{ contentRect }]) => {
      this.width = contentRect.width;
      this.update();
    }).observe(frame);
    session.subscribe(() => this.update());
  }

  #set(threshold) {
    const { model } = this.session;
    const step = Number(this.slider.step);
    // The slider cannot stand exactly on the threshold of the service.
    const isSame = Math.abs(threshold - model.threshold) < step / 2;
    this.session.setTrial(isSame ? null : threshold);
    this.#leave();
  }

  #read() {
    const value = this.field.valueAsNumber;
    const isNumber = Number.isFinite(value);
    this.field.setAttribute('aria-invalid', !isNumber);
    this.#complain(isNumber ? '' : 'Enter a number.');
    if (isNumber) {
      const { threshold } = this.session.model;
      this.session.setTrial(value === threshold ? null : value);
    }
  }

  /** Shows an error once the user pauses, for '0.' may be on its way. */
  #complain(message) {
    clearTimeout(this.timer);
    const show = () => showText(byId('threshold-error'), message);
    this.timer = message ? setTimeout(show, PAUSE) : show();
  }

  /** Shows the threshold that counts instead of what was typed. */
  #leave() {
    this.field.removeAttribute('aria-invalid');
    this.#complain('');
    this.field.value = '';
    this.update();
  }

  update() {
    const { model } = this.session;
    byId('no-model').hidden = Boolean(model);
    byId('trial').hidden = !model;
    if (!model) {
      return;
    }
    if (this.name !== model.name) {
      this.name = model.name;
      this.reach = -Infinity;
    }
    const items = this.session.inspected();
    const trial = this.session.trialOf(model.name);
    const threshold = trial ?? model.threshold;
    this.reach = Math.max(this.reach, threshold);
    const scores = items.map((item) => item.result.score);
    const range = axisRange(model, scores, this.reach);
    this.#showControls(range, threshold, trial !== undefined);
    this.#draw(model, items, range, threshold);
    this.#showRejected(model, threshold, trial !== undefined);
    this.#showOnPage(items);
    byId('trial-mark').hidden = trial === undefined;
    setText(byId('trial-note'), trial === undefined
      ? 'Move it to try another one: this changes the verdicts on this page '
        + 'only, not the service.'
      : 'This is a trial on this page only. It does not change the service, '
        + `which goes on to reject above ${number(model.threshold)}.`);
  }

  #showControls({ low, high }, threshold, isTrial) {
    const { slider, field } = this;
    slider.min = Math.min(low, threshold);
    slider.max = Math.max(high, threshold);
    slider.step = (high - low) / STEPS;
    slider.value = threshold;
    slider.setAttribute('aria-valuetext', number(threshold));
    field.step = 10 ** Math.floor(Math.log10((high - low) / 50));
    if (document.activeElement !== field || field.value === '') {
      if (field.getAttribute('aria-invalid') !== 'true') {
        field.value = Number(threshold.toPrecision(6));
      }
    }
    byId('reset').disabled = !isTrial;
  }

  #draw(model, items, range, threshold) {
    const { selected } = this.session;
    const isInspected = items.includes(selected);
    const data = {
      width: this.width,
      threshold,
      good: model.good_scores,
      range,
      service: model.threshold,
      items: items.map((item) => ({
        score: item.result.score,
        verdict: this.session.verdictOf(item),
      })),
      selected: isInspected ? selected.result.score : null,
    };
    if (this.isNew(data)) {
      drawHistogram(byId('histogram'), data);
    }
    const bars = model.good_scores
      ? 'of the held-out good images (bars) and ' : '';
    const here = isInspected ? ', ▼ the selected image' : '';
    setText(byId('histogram-text'), `Scores ${bars}of the images of this page `
      + `(○ good, × defective)${here}.`);
  }

  #showRejected({ good_scores: good, guarantee }, threshold, isTrial) {
    let text = isTrial
      ? 'How many good images would be rejected is not known, since the '
        + 'model carries no scores of them.'
      : guarantee ?? '';
    if (good) {
      const { least, most, all } = rejected(good, threshold);
      const share = percent(least / all).replace(' %', '');
      text = least === most
        ? `Of ${all} held-out good images ${least} would be rejected `
          + `(${percent(least / all)}).`
        : `Of ${all} held-out good images ${least} to ${most} would be `
          + `rejected (${share} to ${percent(most / all)}).`;
    }
    setText(byId('rejected'), text);
  }

  #showOnPage(items) {
    const defective = items.filter(
      (item) => this.session.verdictOf(item) === 'defective').length;
    setText(byId('on-page'), items.length
      ? `Of ${plural(items.length, 'image')} on this page ${defective} `
        + `${defective === 1 ? 'is' : 'are'} defective.`
      : '');
  }
}

/** Shows the verdict on the selected image and what was measured. */

import { byId, element, icon, number, percent, setFacts, showText }
  from './dom.js';

const WORDS = {
  good: 'Good',
  defective: 'Defective',
  failed: 'No verdict',
  none: 'Inspecting …',
};

export class Details {
  #shown = '';

  constructor(session, inspector) {
    this.session = session;
    byId('retry').addEventListener('click', () =>
      inspector.start(session.selected));
    byId('remove').addEventListener('click', () => {
      inspector.remove(session.selected);
      byId('detail').focus();
    });
    session.subscribe(() => this.update());
  }

  update() {
    const item = this.session.selected;
    byId('image').hidden = !item;
    byId('no-image').hidden = Boolean(item);
    byId('detail-title').textContent = item ? item.name : 'Selected image';
    if (item) {
      this.#showVerdict(item);
      showText(byId('problem'), item.error);
      showText(byId('note'), sentence(item.result?.note ?? ''));
      byId('retry').hidden = !item.canRetry;
      setFacts(byId('measured'), item.result ? facts(item) : {});
    }
  }

  #showVerdict(item) {
    const verdict = this.session.verdictOf(item);
    const kind = verdict ?? (item.error ? 'failed' : 'none');
    const lines = verdict ? this.#reasons(item, verdict) : [];
    const shown = JSON.stringify([item.id, kind, lines]);
    if (shown === this.#shown) {
      return;
    }
    this.#shown = shown;
    const box = byId('verdict');
    box.className = `verdict ${kind}`;
    box.replaceChildren(
      ...(kind === 'none' ? [] : [icon(kind)]),
      element('strong', {}, WORDS[kind]),
      element('div', { class: 'reasons' },
        ...lines.map((line) => element('span', {}, line))),
    );
  }

  #reasons(item, verdict) {
    const { score, probability, verdict: own } = item.result;
    const threshold = this.session.thresholdOf(item);
    const isTrial = this.session.trialOf(item.result.model) !== undefined;
    const sign = verdict === 'defective' ? '>' : '≤';
    const name = isTrial ? 'trial threshold' : 'threshold';
    const compared = `${number(score)} ${sign} ${name} ${number(threshold)}`;
    const lines = [`score ${compared}`];
    const by = isTrial ? ' (by the service’s threshold)' : '';
    lines.push(`probability of a defect ${percent(probability)}${by}`);
    if (verdict !== own) {
      lines.push(`the service’s verdict is ${own}`);
    }
    return lines;
  }
}

function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1)}`
    + (text.endsWith('.') ? '' : '.');
}

function facts({ result }) {
  const version = result.version ? `, version ${result.version}` : '';
  return {
    Size: `${result.width} × ${result.height} px`,
    Time: `${Math.round(result.milliseconds)} ms`,
    Model: `${result.model}${version}`,
  };
}

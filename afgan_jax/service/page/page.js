/** The inspection page: puts its parts together. */

import { listModels, token } from './api.js';
import { download } from './csv.js';
import { Details } from './details.js';
import { byId, bytes, element, number, percent, plural, setFacts, setText,
  showText }
  from './dom.js';
import { Inspector } from './inspector.js';
import { Session } from './session.js';
import { listenForFiles } from './sources.js';
import { Table } from './table.js';
import { Trial } from './trial.js';
import { Viewer } from './viewer.js';

const session = new Session();
const inspector = new Inspector(session, {
  announce: (text) => setText(byId('live'), text),
  onLocked: askForToken,
  onChange: loadModels,
});

function askForToken() {
  const hadOne = Boolean(token.get());
  byId('token-form').hidden = false;
  setText(byId('token-error'),
    hadOne ? 'The service refused the last one.' : '');
  if (document.activeElement === document.body) {
    byId('token').focus();
  }
}

async function loadModels() {
  try {
    session.setModels(await listModels());
    byId('away').hidden = true;
    byId('token-form').hidden = true;
    inspector.unlock();
  } catch (error) {
    if (error.status === 401) {
      askForToken();
      return;
    }
    setText(byId('away-text'), error.message);
    byId('away').hidden = false;
  }
}

/** Describes a model; a field that the service leaves out is left out. */
function describe(model) {
  const { limits, geometry } = model;
  const has = (value, text) => (value ?? null) === null ? null : text;
  return {
    Version: has(model.version, model.version),
    'Training steps': has(model.step, model.step),
    'Seen by the networks': has(model.image_size,
      `${model.image_size} × ${model.image_size} px`
      + (typeof geometry === 'string' ? `, ${geometry}` : '')),
    Threshold: number(model.threshold),
    'Pixel threshold': number(model.pixel_threshold),
    'False-reject rate': has(model.false_reject_rate,
      `${percent(model.false_reject_rate)} requested`),
    'Held-out good images': has(model.num_images, model.num_images),
    Guarantee: has(model.guarantee, model.guarantee),
    Limits: has(limits, limits && `${bytes(limits.bytes)}, `
      + `${Number((limits.pixels / 1e6).toPrecision(3))} megapixels`),
    Formats: has(model.formats, model.formats?.join(' ')),
  };
}

function showModels() {
  const { models, model } = session;
  const select = byId('model');
  const names = JSON.stringify(models.map(({ name }) => name));
  if (select.dataset.names !== names) {
    select.dataset.names = names;
    select.replaceChildren(
      ...models.map(({ name }) => element('option', { value: name }, name)));
  }
  select.value = model?.name ?? '';
  select.disabled = models.length < 2;
  byId('about').hidden = !model;
  byId('model-part').hidden = !model;
  showText(byId('outdated'), model?.problem
    && `The newest ${model.name} is not in service: ${model.problem}`);
  if (model) {
    setFacts(byId('facts'), describe(model));
  }
  const others = othersItems();
  byId('again').hidden = !others.length;
  setText(byId('again'),
    `Inspect ${plural(others.length, 'image')} by ${model?.name}`);
}

/** Lists the images that another model than the chosen one has inspected. */
function othersItems() {
  return session.items.filter((item) =>
    item.state === 'done' && item.result.model !== session.model?.name);
}

function listen() {
  byId('model').addEventListener('change', (event) =>
    session.choose(event.target.value));
  byId('again').addEventListener('click', () =>
    othersItems().forEach((item) => inspector.start(item)));
  byId('away-retry').addEventListener('click', loadModels);
  byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    token.set(byId('token').value.trim());
    byId('token').value = '';
    loadModels();
  });
  byId('download').addEventListener('click', () => download(session));
  byId('clear').addEventListener('click', () => {
    [...session.items].forEach((item) => inspector.remove(item));
    byId('choose').focus();
  });
  byId('retry-all').addEventListener('click', () => {
    const failed = session.items.filter((item) => item.canRetry);
    failed.forEach((item) => inspector.start(item));
  });
  listenForFiles((files) => inspector.add(files));
}

new Table(session, inspector);
new Viewer(session);
new Details(session, inspector);
new Trial(session);
session.subscribe(showModels);
listen();
loadModels();

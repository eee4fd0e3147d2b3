/** Keeps the models, the images and the trial thresholds of this session. */

let lastId = 0;

/**
 * Describes an image and how far it has come.
 *
 * state is 'new', 'waiting', 'sending', 'inspecting', 'busy' (the service is),
 * 'locked' (a token is needed), 'done' or 'failed'.
 */
export class Item {
  constructor(file) {
    this.id = ++lastId;
    this.file = file;
    this.name = file.name || 'image';
    this.state = 'new';
    this.sent = 0; // Share of the file.
    this.result = null;
    this.map = null; // Blob of the PNG.
    this.error = '';
    this.canRetry = false; // Whether the same file may succeed later.
    this.thumbnail = null;
    this.cancel = null;
  }

  get isRunning() {
    return ['waiting', 'sending', 'inspecting', 'busy'].includes(this.state);
  }
}

const KEYS = {
  name: (session, item) => item.name.toLowerCase(),
  verdict: (session, item) => session.verdictOf(item),
  score: (session, item) => item.result?.score ?? null,
  probability: (session, item) => item.result?.probability ?? null,
};

function compare(a, b) {
  if (typeof a === 'string') {
    return a.localeCompare(b, undefined, { numeric: true });
  }
  return a - b;
}

/** The state of the page; views are told of changes once they have settled. */
export class Session {
  #views = [];
  #isScheduled = false;
  models = [];
  model = null; // The chosen one.
  items = [];
  selected = null;
  trials = new Map(); // Thresholds by the name of the model.
  sort = { key: 'added', isDescending: false };

  /** Calls a function after each change. */
  subscribe(view) {
    this.#views.push(view);
  }

  /** Says that something has changed. */
  changed() {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setTimeout(() => {
        this.#isScheduled = false;
        this.#views.forEach((view) => view(this));
      });
    }
  }

  /** Replaces the models; keeps the choice if it is still there. */
  setModels(models) {
    this.models = models;
    const name = this.model?.name;
    this.model = models.find((one) => one.name === name) ?? models[0] ?? null;
    this.changed();
  }

  choose(name) {
    this.model = this.models.find((model) => model.name === name);
    this.changed();
  }

  select(item) {
    this.selected = item;
    this.changed();
  }

  add(item) {
    this.items.push(item);
    this.changed();
  }

  /** Removes an image; its neighbour in the table is selected. */
  remove(item) {
    const order = this.sorted();
    const place = order.indexOf(item);
    this.items = this.items.filter((other) => other !== item);
    if (this.selected === item) {
      this.selected = order[place + 1] ?? order[place - 1] ?? null;
    }
    this.changed();
  }

  /** Sets the trial threshold of the chosen model; null ends the trial. */
  setTrial(threshold) {
    const { name } = this.model;
    if (threshold === null) {
      this.trials.delete(name);
    } else {
      this.trials.set(name, threshold);
    }
    this.changed();
  }

  /** The trial threshold of a model, or undefined. */
  trialOf(name) {
    return this.trials.get(name);
  }

  /** The verdict on an image, by the trial threshold if there is one. */
  verdictOf(item) {
    if (item.state !== 'done') {
      return null;
    }
    const trial = this.trialOf(item.result.model);
    if (trial === undefined) {
      return item.result.verdict;
    }
    return item.result.score > trial ? 'defective' : 'good';
  }

  /** The threshold that `verdictOf` goes by. */
  thresholdOf(item) {
    return this.trialOf(item.result.model) ?? item.result.threshold;
  }

  /** The images in the order of the table; those without a result last. */
  sorted() {
    const { key, isDescending } = this.sort;
    if (key === 'added') {
      return [...this.items];
    }
    const sign = isDescending ? -1 : 1;
    const keyed = this.items.map((item) => [KEYS[key](this, item), item]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) {
        return (a === null) - (b === null);
      }
      return sign * compare(a, b);
    });
    return keyed.map(([, item]) => item);
  }

  /** The images that the chosen model has inspected. */
  inspected() {
    const name = this.model?.name;
    return this.items.filter(
      (item) => item.state === 'done' && item.result.model === name,
    );
  }
}

/** Sends the images of a session to the service, two at a time. */

import { predict, ServiceError } from './api.js';
import { bytes, number } from './dom.js';
import { Queue } from './queue.js';
import { Item } from './session.js';

const AT_A_TIME = 2;
// No answer, or a request that came too slowly, or an unknown model.
const REFUSED_FOR_NOW = new Set([0, 404, 408]);

export class Inspector {
  /**
   * @param {Session} session
   * @param {Object} hooks `announce(text)` tells screen readers; `onLocked()`
   *   is called when a token is needed, `onChange()` when the service has
   *   another model or threshold than the session.
   */
  constructor(session, hooks) {
    this.session = session;
    this.hooks = hooks;
    this.queue = new Queue((item) => this.#inspect(item), AT_A_TIME);
  }

  /** Adds files and inspects them; the first of them is selected. */
  add(files) {
    const items = files.map((file) => new Item(file));
    for (const item of items) {
      this.session.add(item);
      this.start(item);
    }
    this.session.select(items[0]);
  }

  /** Inspects an image, again if it has been before. */
  start(item) {
    if (item.isRunning) {
      return;
    }
    const limit = this.session.model?.limits?.bytes;
    if (limit && item.file.size > limit) {
      const size = bytes(item.file.size);
      this.#fail(item,
        `The file has ${size}; the service takes up to ${bytes(limit)}.`);
      return;
    }
    if (!item.file.size) {
      this.#fail(item, 'The file is empty.');
      return;
    }
    Object.assign(item, {
      state: 'waiting',
      sent: 0,
      error: '',
      canRetry: false,
      result: null,
      map: null,
    });
    this.session.changed();
    this.queue.add(item);
  }

  /** Goes on with images that waited for a token. */
  unlock() {
    const { items } = this.session;
    const locked = items.filter((item) => item.state === 'locked');
    locked.forEach((item) => this.start(item));
    this.queue.start();
  }

  /** Removes an image, and stops sending it. */
  remove(item) {
    this.queue.remove(item);
    this.session.remove(item);
    item.cancel?.();
  }

  async #inspect(item) {
    const { session } = this;
    if (!await isReadable(item.file)) {
      this.#fail(item,
        'The file cannot be read: it was changed, moved or removed.');
      return;
    }
    if (!session.items.includes(item)) {
      return;
    }
    const request = predict(item.file, session.model?.name ?? '', (sent) => {
      item.sent = sent;
      item.state = sent < 1 ? 'sending' : 'inspecting';
      session.changed();
    });
    item.state = 'sending';
    item.cancel = request.cancel;
    session.changed();
    try {
      this.#finish(item, await request.answer);
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        throw error;
      }
      this.#refuse(item, error);
    } finally {
      item.cancel = null;
    }
  }

  #finish(item, result) {
    const { models } = this.session;
    const model = models.find(({ name }) => name === result.model);
    if (model?.threshold !== result.threshold
      || model.version !== result.version) {
      this.hooks.onChange();
    }
    item.map = result.map ? decode(result.map.png) : null;
    if (result.map) {
      delete result.map.png;
    }
    Object.assign(item, { state: 'done', result });
    this.session.changed();
    const verdict = this.session.verdictOf(item);
    const score = number(result.score);
    this.hooks.announce(`${item.name}: ${verdict}, score ${score}.`);
  }

  #refuse(item, error) {
    if (!this.session.items.includes(item)) {
      return;
    }
    if (error.status === 429) {
      item.state = 'busy';
      this.queue.pause(error.wait);
      this.queue.add(item, true);
    } else if (error.status === 401) {
      this.queue.stop();
      const message = 'The service asks for a token: enter it above.';
      this.#fail(item, message, 'locked');
      this.hooks.onLocked();
    } else {
      const canRetry = REFUSED_FOR_NOW.has(error.status) || error.status >= 500;
      this.#fail(item, error.message, 'failed', canRetry);
      if (error.status === 404) {
        this.hooks.onChange(); // Perhaps the model has gone.
      }
    }
    this.session.changed();
  }

  #fail(item, message, state = 'failed', canRetry = false) {
    Object.assign(item, { state, error: message, canRetry });
    this.session.changed();
  }
}

/** Tells a file that has gone from a service that has. */
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Turns base64 into a file in memory; the policy forbids `fetch` of it. */
function decode(base64) {
  const bytesOf = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Blob([bytesOf], { type: 'image/png' });
}

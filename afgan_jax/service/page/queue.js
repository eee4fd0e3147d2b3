/** Runs jobs in their order, a few at a time, with pauses. */
export class Queue {
  #waiting = [];
  #running = 0;
  #resumeAt = 0;
  #stopped = false;
  #timer = null;

  /**
   * @param {function(*): Promise} work does one job; it handles its errors.
   * @param {number} limit of jobs at a time.
   */
  constructor(work, limit) {
    this.work = work;
    this.limit = limit;
  }

  /** Appends a job, or puts it first. */
  add(job, isFirst = false) {
    this.#waiting[isFirst ? 'unshift' : 'push'](job);
    this.#next();
  }

  /** Takes out a job that waits. */
  remove(job) {
    this.#waiting = this.#waiting.filter((other) => other !== job);
  }

  /** Starts no job for some seconds. */
  pause(seconds) {
    this.#resumeAt = Math.max(this.#resumeAt, Date.now() + 1000 * seconds);
  }

  /** Starts no job until `start`. */
  stop() {
    this.#stopped = true;
  }

  /** Goes on after `stop`. */
  start() {
    this.#stopped = false;
    this.#next();
  }

  #next() {
    const wait = this.#resumeAt - Date.now();
    if (wait > 0 && this.#waiting.length) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#next(), wait);
      return;
    }
    while (
      !this.#stopped && this.#waiting.length && this.#running < this.limit
    ) {
      this.#run(this.#waiting.shift());
    }
  }

  async #run(job) {
    this.#running += 1;
    try {
      await this.work(job);
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }
}

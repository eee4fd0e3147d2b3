/** Zooms and moves an image in its frame, by keys, pointers and the wheel. */

const STEP = 1.25;
const MOVE = 40; // In pixels of the screen.
const LARGEST = 32; // Pixels of the screen for one of the image.

/**
 * Computes the view after a zoom that keeps a point of the frame in place.
 *
 * @param {{scale: number, x: number, y: number}} view
 * @param {number} scale the new one.
 * @param {number} x of the point in the frame.
 * @param {number} y of the point in the frame.
 */
export function zoomAt(view, scale, x, y) {
  const ratio = scale / view.scale;
  return { scale, x: x - ratio * (x - view.x), y: y - ratio * (y - view.y) };
}

export class Zoom {
  #pointers = new Map();
  view = { scale: 1, x: 0, y: 0 };
  size = { width: 1, height: 1 };
  isFit = true;

  /**
   * @param {HTMLElement} frame
   * @param {function(Zoom)} onChange draws the view.
   */
  constructor(frame, onChange) {
    this.frame = frame;
    this.onChange = onChange;
    frame.addEventListener('wheel', (event) => this.#wheel(event), {
      passive: false,
    });
    frame.addEventListener('keydown', (event) => this.#key(event));
    frame.addEventListener('dblclick', (event) => this.#doubleClick(event));
    frame.addEventListener('pointerdown', (event) => this.#down(event));
    frame.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel']) {
      frame.addEventListener(name, (event) => this.#up(event));
    }
    new ResizeObserver(() => this.isFit && this.fit()).observe(frame);
  }

  /** The scale at which the whole image is seen. */
  get fitted() {
    const { clientWidth, clientHeight } = this.frame;
    const { width, height } = this.size;
    return Math.min(clientWidth / width, clientHeight / height) || 1;
  }

  /** Shows an image of another size as a whole. */
  open(width, height) {
    this.size = { width, height };
    this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.frame;
    const scale = this.fitted;
    this.#set({
      scale,
      x: (clientWidth - scale * this.size.width) / 2,
      y: (clientHeight - scale * this.size.height) / 2,
    });
  }

  /** Zooms by a factor around a point of the frame, its middle by default. */
  by(factor, x = this.frame.clientWidth / 2, y = this.frame.clientHeight / 2) {
    const largest = Math.max(LARGEST, this.fitted);
    const scale = Math.max(
      Math.min(this.view.scale * factor, largest),
      this.fitted,
    );
    this.#set(zoomAt(this.view, scale, x, y));
  }

  in() {
    this.by(STEP);
  }

  out() {
    this.by(1 / STEP);
  }

  /** Brings a rectangle of the image into the middle, with its surroundings. */
  show({ x, y, width, height }) {
    const { clientWidth, clientHeight } = this.frame;
    const scale = Math.max(
      Math.min(clientWidth / width / 3, clientHeight / height / 3, 8),
      this.fitted,
    );
    this.#set({
      scale,
      x: clientWidth / 2 - scale * (x + width / 2),
      y: clientHeight / 2 - scale * (y + height / 2),
    });
  }

  #set(view) {
    const { clientWidth, clientHeight } = this.frame;
    const inside = (start, frame, image) =>
      image <= frame
        ? (frame - image) / 2
        : Math.min(Math.max(start, frame - image), 0);
    const { scale } = view;
    this.isFit = scale <= this.fitted * 1.001;
    this.view = {
      scale,
      x: inside(view.x, clientWidth, scale * this.size.width),
      y: inside(view.y, clientHeight, scale * this.size.height),
    };
    this.onChange(this);
  }

  #shift(x, y) {
    this.#set({ ...this.view, x: this.view.x + x, y: this.view.y + y });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const action = {
      '+': () => this.in(),
      '=': () => this.in(),
      '-': () => this.out(),
      0: () => this.fit(),
      ArrowLeft: () => this.#shift(MOVE, 0),
      ArrowRight: () => this.#shift(-MOVE, 0),
      ArrowUp: () => this.#shift(0, MOVE),
      ArrowDown: () => this.#shift(0, -MOVE),
    }[event.key];
    if (action && !(this.isFit && event.key.startsWith('Arrow'))) {
      event.preventDefault();
      action();
    }
  }

  #wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const { left, top } = this.frame.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY / 300);
      this.by(factor, event.clientX - left, event.clientY - top);
    }
  }

  #doubleClick(event) {
    if (!this.isFit) {
      this.fit();
      return;
    }
    const { left, top } = this.frame.getBoundingClientRect();
    this.by(3, event.clientX - left, event.clientY - top);
  }

  #down(event) {
    // Not captured while the image is whole: a finger then scrolls the page.
    this.#pointers.set(event.pointerId, event);
    if (!this.isFit) {
      this.frame.setPointerCapture(event.pointerId);
    }
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    if (!event.buttons) { // Released outside.
      this.#up(event);
      return;
    }
    const others = [...this.#pointers.values()].filter((p) => p !== before);
    this.#pointers.set(event.pointerId, event);
    if (others.length === 1) {
      this.#pinch(before, event, others[0]);
    } else if (!this.isFit) {
      const { clientX, clientY } = before;
      this.#shift(event.clientX - clientX, event.clientY - clientY);
    }
  }

  #pinch(before, after, other) {
    const { left, top } = this.frame.getBoundingClientRect();
    const distance = (one) =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const x = (after.clientX + other.clientX) / 2 - left;
    const y = (after.clientY + other.clientY) / 2 - top;
    this.by(distance(after) / distance(before), x, y);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }
}

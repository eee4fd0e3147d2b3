/** Makes elements and formats numbers; text from outside is always text. */

const SVG = 'http://www.w3.org/2000/svg';

/** Finds an element of the page by its id. */
export const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * Creates an HTML element.
 *
 * @param {string} tag
 * @param {Object} attributes null, undefined and false leave one out.
 * @param {...(Node|string|null)} children strings become text, never markup.
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Creates an SVG element; the arguments are those of `element`. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const ICONS = {
  good: 'M3.2 8.4 6.6 11.8 12.9 4.6',
  defective: 'M4 4 12 12M12 4 4 12',
  failed: 'M8 3.6V9M8 11.8v.6',
};

/** Creates the icon of a verdict: a tick, a cross or an exclamation mark. */
export function icon(kind) {
  const frame = { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' };
  return svg('svg', frame,
    svg('path', { d: ICONS[kind] }));
}

/** Replaces text only where it differs, so that nothing is read out twice. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Shows a text in an element, or hides the element if there is none. */
export function showText(node, text) {
  node.hidden = !text;
  setText(node, text || '');
}

/** Makes a function that tells whether a value differs from the last one. */
export function changes() {
  let last;
  return (value) => {
    const before = last;
    last = JSON.stringify(value);
    return last !== before;
  };
}

const differs = new WeakMap(); // By list.

/** Replaces the terms and descriptions of a list; null leaves a pair out. */
export function setFacts(list, facts) {
  const pairs = Object.entries(facts).filter(([, value]) => value !== null);
  if (!differs.has(list)) {
    differs.set(list, changes());
  }
  if (!differs.get(list)(pairs)) {
    return;
  }
  list.replaceChildren(...pairs.map(([term, value]) =>
    element('div', {},
      element('dt', {}, term), element('dd', {}, `${value}`))));
}

/** Formats a score or a threshold with four digits. */
export function number(value) {
  if (!Number.isFinite(value)) {
    return '–';
  }
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e5)
    ? value.toExponential(3)
    : value.toPrecision(4);
}

/** Formats a share, [0, 1], in per cent. */
export function percent(value) {
  if (!Number.isFinite(value)) {
    return '–';
  }
  const hundred = 100 * value;
  if (hundred > 0 && hundred < 0.1) {
    return '< 0.1 %';
  }
  if (hundred < 100 && hundred > 99.9) {
    return '> 99.9 %';
  }
  return `${hundred.toFixed(hundred < 10 || hundred > 99 ? 1 : 0)} %`
    .replace('.0 ', ' ');
}

/** Formats the size of a file. */
export function bytes(value) {
  return value >= 1e6
    ? `${Number((value / 1e6).toPrecision(3))} MB`
    : `${Math.max(1, Math.round(value / 1000))} kB`;
}

/** Writes 'one image' or 'n images'. */
export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

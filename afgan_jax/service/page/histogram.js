/** Draws the scores of held-out good images, the threshold and the images. */

import { number, svg } from './dom.js';

const HEIGHT = 210;
const MARGIN = { left: 40, right: 12, top: 30, bottom: 56 };

/** The horizontal place of the plot, for a slider beneath it. */
export const PLOT = { left: MARGIN.left, right: MARGIN.right };

/**
 * Counts the good images above a threshold.
 *
 * @param {{edges: number[], counts: number[]}} scores
 * @param {number} threshold
 * @returns {{least: number, most: number, all: number}} the counts differ if
 *   the threshold divides a bar.
 */
export function rejected({ edges, counts }, threshold) {
  let [least, most, all] = [0, 0, 0];
  counts.forEach((count, i) => {
    all += count;
    least += edges[i] > threshold ? count : 0;
    most += edges[i + 1] > threshold ? count : 0;
  });
  return { least, most, all };
}

/**
 * Chooses the range of the axis: that of the good images and the threshold,
 * with room above. Scores far above are beyond its end.
 *
 * @param {Object} model
 * @param {number[]} scores of the images of the page.
 * @param {number} reach a value that must be within.
 */
export function axisRange(model, scores, reach) {
  // Without scores of good images, twice the way to their median, which has a
  // probability of 0.1.
  const scale = model.probability?.scale ?? 0;
  const lowest = model.threshold - 2 * Math.log(9) * scale;
  const good = model.good_scores?.edges
    ?? [...scores, model.threshold < 0 ? lowest : Math.max(lowest, 0)];
  const low = Math.min(...good, model.threshold);
  const high = Math.max(...good, model.threshold);
  const width = high - low || Math.abs(high) || 1;
  const within = scores.filter((score) => score <= high + width);
  within.push(high + 0.3 * width, reach);
  return {
    low: Math.min(low, ...within),
    high: Math.max(...within) + 0.08 * width,
  };
}

/** Returns about `count` round numbers within a range. */
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)));
}

/**
 * Draws the histogram.
 *
 * @param {SVGElement} root is filled anew.
 * @param {Object} data width (in pixels), good (scores, see `rejected`, or
 *   null), range, threshold, service (its threshold), items
 *   ([{score, verdict}]), selected (a score or null).
 */
export function drawHistogram(root, data) {
  const width = Math.max(data.width, 220);
  root.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  root.setAttribute('height', HEIGHT);
  const { low, high } = data.range;
  const span = width - MARGIN.left - MARGIN.right;
  const x = (value) => {
    const inside = Math.min(Math.max(value, low), high);
    return MARGIN.left + (span * (inside - low)) / (high - low);
  };
  root.replaceChildren(
    ...bars(data.good, x, width),
    ...axis(data.range, x, width),
    ...marks(data, x, width),
    ...lines(data, x, width),
  );
}

const bottom = HEIGHT - MARGIN.bottom;

function text(x, y, content, attributes = {}) {
  return svg('text', { x, y, ...attributes }, content);
}

function bars(good, x, width) {
  if (!good) {
    return [];
  }
  const most = Math.max(...good.counts, 1);
  const y = (count) => bottom - ((bottom - MARGIN.top) * count) / most;
  const parts = good.counts.map((count, i) => {
    const [left, right] = [x(good.edges[i]), x(good.edges[i + 1])];
    const gap = Math.min(1, (right - left) / 5);
    return svg('rect', { class: 'bar', x: left + gap / 2, y: y(count),
      width: right - left - gap, height: bottom - y(count) });
  });
  const whole = ticks(0, most, 3).filter(Number.isInteger);
  for (const count of whole) {
    parts.unshift(svg('line', { class: 'grid', x1: MARGIN.left,
      x2: width - MARGIN.right, y1: y(count), y2: y(count) }));
    parts.push(text(MARGIN.left - 6, y(count) + 4, `${count}`,
      { 'text-anchor': 'end' }));
  }
  const middle = (MARGIN.top + bottom) / 2;
  parts.push(text(10, middle, 'good images',
    { class: 'title', 'text-anchor': 'middle',
      transform: `rotate(-90 10 ${middle})` }));
  return parts;
}

function axis(range, x, width) {
  const parts = [svg('line', { class: 'axis', x1: MARGIN.left,
    x2: width - MARGIN.right, y1: bottom, y2: bottom })];
  for (const value of ticks(range.low, range.high, 5)) {
    parts.push(
      svg('line', { class: 'axis', x1: x(value), x2: x(value),
        y1: bottom, y2: bottom + 4 }),
      text(x(value), bottom + 33, `${value}`, { 'text-anchor': 'middle' }));
  }
  const middle = (MARGIN.left + width - MARGIN.right) / 2;
  parts.push(text(middle, HEIGHT - 6, 'score',
    { class: 'title', 'text-anchor': 'middle' }));
  return parts;
}

/** One mark for each image of the page: a circle if good, else a cross. */
function marks({ items, range }, x, width) {
  const y = bottom + 12;
  const within = items.filter(({ score }) => score <= range.high);
  const parts = within.map(({ score, verdict }) => {
    const at = x(score);
    return verdict === 'good'
      ? svg('circle', { class: 'mark-good', cx: at, cy: y, r: 3.5 })
      : svg('path', { class: 'mark-defective',
        d: `M${at - 3.5} ${y - 3.5}l7 7m0-7l-7 7` });
  });
  const beyond = items.length - within.length;
  if (beyond) {
    parts.push(text(width - MARGIN.right, HEIGHT - 6, `${beyond} × higher →`,
      { class: 'beyond', 'text-anchor': 'end' }));
  }
  return parts;
}

function lines({ threshold, service, selected, range }, x, width) {
  const parts = [];
  const vertical = (value, name) => svg('line', { class: name, x1: x(value),
    x2: x(value), y1: MARGIN.top - 4, y2: bottom });
  if (service !== threshold) {
    parts.push(vertical(service, 'service-line'));
  }
  parts.push(vertical(threshold, 'threshold-line'));
  const isRight = x(threshold) < width / 2;
  parts.push(text(x(threshold), MARGIN.top - 10,
    `${service === threshold ? 'threshold' : 'trial'} ${number(threshold)}`,
    { class: 'label', 'text-anchor': anchor(x(threshold), width) }));
  if (selected !== null) {
    const at = x(selected);
    parts.push(svg('path', { class: 'selected-mark',
      d: `M${at} ${bottom - 1}l-6 -10h12z` }));
    const beyond = selected > range.high ? ' →' : '';
    parts.push(text(at, bottom - 16, `${number(selected)}${beyond}`,
      { class: 'label selected-label', 'text-anchor': anchor(at, width) }));
  }
  return parts;
}

function anchor(x, width) {
  if (x < MARGIN.left + 40) {
    return 'start';
  }
  return x > width - MARGIN.right - 40 ? 'end' : 'middle';
}

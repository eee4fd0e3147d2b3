/** Colours anomaly maps. */

// Every fifth colour of matplotlib's inferno, which has equal steps to the eye,
// also in grey and for colour-blind people.
const INFERNO =
  '00000402020c0504170a072210092d160b391e0c45260c512f0a5b380962400a67490b6a' +
  '510e6c59106e61136e69166e71196e781c6d801f6c88226a902568982766a02a63a82e5f' +
  'b0315bb73557bf3952c63d4dcc4248d34743d94d3ddf5337e45a31e9612bed6925f1711f' +
  'f47918f78212f98b0bfa9407fb9d07fca60cfcb014fbba1ffac42af8cd37f6d746f4e156' +
  'f2ea69f2f27df5f992fcffa4';
const STEP = 5;

/** The colour map, [256, 3], 0 to 255. */
export const COLORS = Array.from({ length: 256 }, (_, i) => {
  const left = Math.min(Math.floor(i / STEP), 50);
  const share = i / STEP - left;
  return [0, 2, 4].map((channel) => {
    const [a, b] = [left, left + 1].map((stop) =>
      parseInt(INFERNO.slice(6 * stop + channel, 6 * stop + channel + 2), 16),
    );
    return Math.round(a + share * (b - a));
  });
});

/**
 * Chooses the values of the lowest and the highest colour.
 *
 * The pixel threshold is in the middle, as in the overlays of the program, so
 * that colours of different images compare.
 *
 * @param {Object} result of the service.
 * @returns {{low: number, high: number, isCommon: boolean}}
 */
export function rangeOf({ pixel_threshold: threshold, map }) {
  if (Number.isFinite(threshold) && threshold > 0) {
    return { low: 0, high: 2 * threshold, isCommon: true };
  }
  return { low: map.low, high: map.high, isCommon: false };
}

/** Returns the colour of each grey value of a map, [256, 3]. */
export function table(map, range) {
  const width = range.high - range.low || 1;
  return COLORS.map((_, grey) => {
    const value = map.low + (grey / 255) * (map.high - map.low);
    const place = Math.round((255 * (value - range.low)) / width);
    return COLORS[Math.min(Math.max(place, 0), 255)];
  });
}

/**
 * Colours a map.
 *
 * @param {Blob} png grey, 8 bits.
 * @param {Object} map `low` and `high`, the values of black and white.
 * @param {Object} range from `rangeOf`.
 * @returns {Promise<function(HTMLCanvasElement)>} puts it on a canvas.
 */
export async function paint(png, map, range) {
  const bitmap = await createImageBitmap(png, { colorSpaceConversion: 'none' });
  const { width, height } = bitmap;
  const buffer = document.createElement('canvas');
  Object.assign(buffer, { width, height });
  const context = buffer.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height);
  const colors = table(map, range);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const color = colors[pixels.data[i]];
    pixels.data[i] = color[0];
    pixels.data[i + 1] = color[1];
    pixels.data[i + 2] = color[2];
  }
  return (canvas) => {
    canvas.width = width;
    canvas.height = height;
    canvas.getContext('2d').putImageData(pixels, 0, 0);
  };
}

/** Draws the colour map from left to right. */
export function paintScale(canvas) {
  const context = canvas.getContext('2d');
  COLORS.forEach((color, x) => {
    context.fillStyle = `rgb(${color.join(' ')})`;
    context.fillRect(x, 0, 1, 1);
  });
}

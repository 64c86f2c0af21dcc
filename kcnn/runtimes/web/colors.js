// Numbers as colors: black to yellow from zero up; blue, white and red where some are negative.

const HEAT = [
  [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51],
  [249, 140, 10], [249, 201, 50], [252, 255, 164],
];
const VEIL = 0.8;  // of the largest number
const SIGNED = [
  [5, 48, 97], [67, 147, 195], [209, 229, 240], [247, 247, 247], [253, 219, 199], [214, 96, 77],
  [103, 0, 31],
];

function between(colors, share) {
  const at = Math.min(1, Math.max(0, share)) * (colors.length - 1);
  const low = Math.min(Math.floor(at), colors.length - 2);
  return colors[low].map((each, i) => Math.round(each + (at - low) * (colors[low + 1][i] - each)));
}

/** Return the color of a number as [red, green, blue], where the largest magnitude is `peak`. */
export function colorOf(value, peak, signed) {
  if (!peak) return signed ? SIGNED[3] : HEAT[0];
  return signed ? between(SIGNED, (value / peak + 1) / 2) : between(HEAT, value / peak);
}

export const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/** Return black or white, whichever is readable on a color. */
export const inkOn = ([red, green, blue]) =>
  (0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff");

/** Return the largest magnitude and whether there are negative numbers. */
export function rangeOf(values) {
  let [peak, low] = [0, 0];
  for (const each of values) {
    peak = Math.max(peak, Math.abs(each));
    low = Math.min(low, each);
  }
  return { peak, signed: low < 0 };
}

/** Draw numbers row by row, a pixel each; `veil` lets what is below show where they are small. */
export function paint(canvas, values, height, width, { peak, signed }, veil = false) {
  if (canvas.height !== height) canvas.height = height;
  if (canvas.width !== width) canvas.width = width;
  const pixels = new ImageData(width, height);
  values.forEach((each, i) => {
    const alpha = veil ? VEIL * (each / peak) : 1;
    pixels.data.set([...colorOf(each, peak, signed), 255 * alpha], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Return one channel of a map [height, width, channels]. */
export function channelOf(values, channels, channel) {
  const found = new Float32Array(values.length / channels);
  for (let i = 0; i < found.length; i++) found[i] = values[i * channels + channel];
  return found;
}

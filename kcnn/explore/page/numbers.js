// Numbers for readers: short, with a real minus; grids of them, and maps with a frame on them.

import { colorOf, css, inkOn, paint } from "./colors.js";
import { element } from "./elements.js";

const READABLE = 49;  // cells
const FINE = 0.0095;  // numbers below it have four decimals
const SIDE = 224;  // pixels
const RIBBON = 28;

/** Return a number with about three digits. */
export function short(value) {
  const size = Math.abs(value);
  const digits = size >= 99.5 ? 0 : size >= 9.95 ? 1 : size >= 0.0095 || size === 0 ? 2 : 4;
  const text = size && size < 5e-5 ? value.toExponential(0) : value.toFixed(digits);
  return minus(text);
}

/** Return a number with a real minus, which zero has not. */
const minus = (text) => text.replace(/^-(?=0?\.?0*$)/, "").replace("-", "−");

export const whole = (value) => minus(String(value));

/** Return a number for a small cell, with as many decimals as the largest one of its grid needs. */
function brief(value, peak) {
  const decimals = [99.5, 9.95, 0.095, FINE].findIndex((limit) => peak >= limit);
  const text = value.toFixed(decimals < 0 ? 4 : decimals);
  return minus(decimals < 0 || decimals > 2 ? text.replace("0.", ".") : text);
}

export const signed = (value) => (value < 0 ? short(value) : `+${short(value)}`);

/** Return numbers as colored cells, those without a number as padding; each has `data-tap`. */
export function grid(values, columns, range) {
  const style = values.length > READABLE ? "grid small" : range.peak < FINE ? "grid fine" : "grid";
  const made = element("div", undefined, style);
  made.style.setProperty("--columns", columns);
  values.forEach((value, tap) => {
    const cell = element("span", value === null ? "0" : brief(value, range.peak));
    cell.dataset.tap = tap;
    if (value === null) cell.className = "padding";
    else {
      const color = colorOf(value, range.peak, range.signed);
      cell.style.background = css(color);
      cell.style.color = inkOn(color);
    }
    made.append(cell);
  });
  return made;
}

/** Draw a map large enough to point at, with a frame around a window {top, left, height, width}. */
export function magnify(canvas, source, box) {
  const scale = Math.max(1, Math.floor(SIDE / Math.max(source.height, source.width)));
  const flat = source.height === 1 && source.width > 1;  // a vector, drawn as a ribbon
  const [tall, wide] = flat ? [RIBBON, Math.max(1, 2 * scale)] : [scale, scale];
  [canvas.height, canvas.width] = [source.height * tall, source.width * wide];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  if (!box) return;
  const frame = [box.left * wide, box.top * tall, box.width * wide, box.height * tall];
  for (const [color, line] of [["#000", 4], ["#3ddc97", 2]]) {
    [context.strokeStyle, context.lineWidth] = [color, line];
    context.strokeRect(...frame);
  }
}

/** Return a canvas with one channel of a map, a pixel for each number. */
export function small(values, height, width, range) {
  const canvas = element("canvas");
  paint(canvas, values, height, width, range);
  return canvas;
}

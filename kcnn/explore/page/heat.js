// The heat map of a class: Grad-CAM, where the gradient of the layers behind the last feature map
// is computed in the page. Behind global average pooling and one dense layer, the gradient is that
// layer's row of weights, and the map is the class activation map.

import { ACTIVATIONS, fused, windowOf } from "./compute.js";

/** Layers that move or pool activations; the map before them shows the same, finer. */
const PASSIVE = new Set(["MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "PADV2", "RESHAPE"]);

const STEP = 1e-3;

const SLOPES = {
  none: () => 1,
  relu: (x) => Number(x > 0),
  relu_n1_to_1: (x) => Number(x > -1 && x < 1),
  relu6: (x) => Number(x > 0 && x < 6),
};

/** Return the slope of an activation at its argument. */
function slope(name, x) {
  const own = ACTIVATIONS[name];
  return SLOPES[name]?.(x) ?? (own(x + STEP) - own(x - STEP)) / (2 * STEP);
}

/**
 * Return the last feature map's layer and the layers from it to the logits; null if the page has
 * no gradient for one of them.
 */
export function headOf(network) {
  const makers = new Map(network.layers.map((layer) => [layer.output, layer]));
  const behind = [];
  for (let layer = network.scores; layer; ) {
    const [height, width] = layer.shape.slice(1);
    const spatial = layer.shape.length === 4 && height * width > 1;
    if (spatial && !PASSIVE.has(layer.kind)) return { map: layer, behind: behind.reverse() };
    if (!(layer.kind in BACK) && !(layer.kind.toLowerCase() in ACTIVATIONS)) return null;
    behind.push(layer);
    const maps = layer.inputs.filter((input) => typeof input === "number");
    layer = maps.length === 1 ? makers.get(maps[0]) : null;
  }
  return null;
}

/** Return the heat map of a class {values, height, width, peak}: zero or positive, in logits. */
export function heatMap(network, head, chosen) {
  const gradient = gradientOf(network, head, chosen);
  const [height, width, channels] = network.shape(head.map.output);
  const maps = network.values(head.map.output);
  const weights = new Float64Array(channels);
  gradient.forEach((each, index) => { weights[index % channels] += each / (height * width); });
  const values = new Float32Array(height * width);
  for (let pixel = 0; pixel < values.length; pixel++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += weights[c] * maps[pixel * channels + c];
    values[pixel] = Math.max(0, sum);
  }
  return { values, height, width, peak: values.reduce((all, each) => Math.max(all, each), 0) };
}

/** Return the gradient of a class's logit for every number of the feature map. */
function gradientOf(network, { map, behind }, chosen) {
  const logits = network.values((behind.at(-1) ?? map).output);
  let gradient = new Float64Array(logits.length);
  // A single logit is the evidence for the second of two classes, and against the first.
  if (logits.length === 1) gradient[0] = chosen ? 1 : -1;
  else gradient[chosen] = 1;
  for (const layer of [...behind].reverse()) {
    const input = layer.inputs.find((each) => typeof each === "number");
    const before = network.values(input);
    const back = BACK[layer.kind];
    gradient = back
      ? back({ network, layer, input, before, gradient: throughFused(network, layer, gradient) })
      : gradient.map((each, i) => each * slope(layer.kind.toLowerCase(), before[i]));
  }
  return gradient;
}

/** The fused activations rise or are flat, so that their outputs tell their slopes. */
function throughFused(network, layer, gradient) {
  const name = fused(layer);
  if (name === "none") return gradient;
  const after = network.values(layer.output);
  return gradient.map((each, i) =>
    each * (name === "tanh" ? 1 - after[i] ** 2 : slope(name, after[i])));
}

function denseBack({ network, layer, before, gradient }) {
  const kernel = network.constant(layer.inputs[1]);
  const found = new Float64Array(before.length);
  gradient.forEach((each, unit) => {
    if (each) for (let i = 0; i < found.length; i++) found[i] += each * kernel[unit * found.length + i];
  });
  return found;
}

function meanBack({ network, input, before, gradient }) {
  const channels = network.shape(input).at(-1);
  return Float64Array.from(before, (_, i) => (gradient[i % channels] * channels) / before.length);
}

/** Equal largest numbers share the gradient, as in TensorFlow's `reduce_max`. */
function largestBack({ network, layer, input, before, gradient }) {
  const channels = network.shape(input).at(-1);
  const largest = network.values(layer.output);
  const counts = new Float64Array(channels);
  before.forEach((each, i) => { counts[i % channels] += each === largest[i % channels]; });
  return Float64Array.from(before, (each, i) =>
    each === largest[i % channels] ? gradient[i % channels] / counts[i % channels] : 0);
}

function poolBack({ network, layer, input, before, gradient }) {
  const [height, width, channels] = network.shape(input);
  const [, rows, columns] = layer.shape;
  const found = new Float64Array(before.length);
  for (let place = 0; place < rows * columns; place++) {
    const spot = windowOf(network, layer, Math.floor(place / columns), place % columns);
    const pixels = [];
    for (let i = Math.max(0, spot.top); i < Math.min(height, spot.top + spot.height); i++) {
      for (let j = Math.max(0, spot.left); j < Math.min(width, spot.left + spot.width); j++) {
        pixels.push(i * width + j);
      }
    }
    for (let c = 0; c < channels; c++) {
      const each = gradient[place * channels + c];
      if (!each) continue;
      const values = pixels.map((pixel) => before[pixel * channels + c]);
      const best = pixels[values.indexOf(Math.max(...values))];
      if (layer.kind === "MAX_POOL_2D") found[best * channels + c] += each;
      else for (const pixel of pixels) found[pixel * channels + c] += each / pixels.length;
    }
  }
  return found;
}

/** A convolution of any size, back through its kernel. */
function convolutionBack({ network, layer, input, before, gradient }) {
  const kernel = network.constant(layer.inputs[1]);
  const [filters, kh, kw, depth] = layer.inputs[1].shape;
  const [height, width, channels] = network.shape(input);
  const [, , columns] = layer.shape;
  const found = new Float64Array(before.length);
  gradient.forEach((each, index) => {
    if (!each) return;
    const [place, filter] = [Math.floor(index / filters), index % filters];
    const spot = windowOf(network, layer, Math.floor(place / columns), place % columns);
    const first = Math.floor(filter / (filters / (channels / depth))) * depth;
    for (let tap = 0; tap < kh * kw; tap++) {
      const y = spot.top + Math.floor(tap / kw) * spot.dy;
      const x = spot.left + (tap % kw) * spot.dx;
      if (y < 0 || x < 0 || y >= height || x >= width) continue;
      const to = (y * width + x) * channels + first;
      const from = (filter * kh * kw + tap) * depth;
      for (let c = 0; c < depth; c++) found[to + c] += each * kernel[from + c];
    }
  });
  return found;
}

/** Multiplied or shifted by constants, one for each channel or one for all. */
function constantBack({ network, layer, before, gradient }) {
  if (layer.kind === "ADD") return gradient;
  const constant = layer.inputs.find((each) => typeof each !== "number");
  const factors = network.constant(constant);
  return Float64Array.from(before, (_, i) => gradient[i] * factors[i % factors.length]);
}

const BACK = {
  FULLY_CONNECTED: denseBack, CONV_2D: convolutionBack, MEAN: meanBack, REDUCE_MAX: largestBack,
  MAX_POOL_2D: poolBack, AVERAGE_POOL_2D: poolBack, RESHAPE: ({ gradient }) => gradient,
  MUL: constantBack, ADD: constantBack,
};

// The heat map of a class: Grad-CAM, where the gradient of the layers behind the last feature map
// is computed in the page. Behind global average pooling and one dense layer, the gradient is that
// layer's row of weights, and the map is the class activation map.

import { ACTIVATIONS, fused, windowOf } from "./compute.js";
import { t } from "./language.js";

/** Layers that only rename the axes of a map. */
const RESHAPING = ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"];

/** Layers that move or pool activations; the map before them shows the same, finer. */
const PASSIVE = new Set(["MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "PADV2", ...RESHAPING]);

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

const isMap = (input) => typeof input === "number";

/** Return whether the page has the gradient of a layer. */
function hasGradient(network, layer) {
  const size = (place) => network.shape(place).reduce((product, side) => product * side, 1);
  if (PAIRS.has(layer.kind)) {  // nothing is repeated along an axis but constants
    return layer.inputs.every((input) => !isMap(input) || size(input) === size(layer.output));
  }
  return layer.kind in BACK || layer.kind.toLowerCase() in ACTIVATIONS;
}

/**
 * Return the last feature map's layer, which every path to the logits passes, and the layers behind
 * it; null if there is no such map, or the page has no gradient for one of the layers.
 */
export function headOf(network) {
  const makers = new Map(network.layers.map((layer) => [layer.output, layer]));
  const [behind, maps] = [new Set(), new Set()];
  const visit = (layer) => {
    if (!layer) return false;  // the picture itself
    const [height, width] = layer.shape.slice(1);
    const spatial = layer.shape.length === 4 && height * width > 1;
    if (spatial && !PASSIVE.has(layer.kind)) return Boolean(maps.add(layer));
    if (!hasGradient(network, layer)) return false;
    behind.add(layer);
    return layer.inputs.filter(isMap).every((input) => visit(makers.get(input)));
  };
  if (!visit(network.scores) || maps.size !== 1) return null;
  return { map: [...maps][0], behind: network.layers.filter((layer) => behind.has(layer)) };
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

/** Return what the page says about a heat map, which may be null. */
export const noteOf = (heat, label) =>
  (heat ? t(heat.peak ? "heat" : "heat.empty", { label }) : t("no.heat"));

/** Return the gradient of a class's logit for every number of the feature map. */
function gradientOf(network, { map, behind }, chosen) {
  const { output } = behind.at(-1) ?? map;
  const first = new Float64Array(network.values(output).length);
  // A single logit is the evidence for the second of two classes, and against the first.
  if (first.length === 1) first[0] = chosen ? 1 : -1;
  else first[chosen] = 1;
  const gradients = new Map([[output, first]]);
  for (const layer of [...behind].reverse()) {
    const gradient = throughFused(network, layer, gradients.get(layer.output));
    for (const input of new Set(layer.inputs.filter(isMap))) {
      const before = network.values(input);
      const part = (BACK[layer.kind] ?? singleBack)({ network, layer, input, before, gradient });
      const known = gradients.get(input);
      gradients.set(input, known ? known.map((each, i) => each + part[i]) : part);
    }
  }
  return gradients.get(map.output);
}

const singleBack = ({ layer, before, gradient }) =>
  gradient.map((each, i) => each * slope(layer.kind.toLowerCase(), before[i]));

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

/** A sum, a difference or a product of two inputs, one of which may be a constant. */
function pairBack({ network, layer, input, gradient }) {
  const [one, other] = layer.inputs;
  const own = [one === input, other === input];
  if (layer.kind !== "MUL") {
    const factor = own[0] + own[1] * (layer.kind === "SUB" ? -1 : 1);
    return gradient.map((each) => factor * each);
  }
  const factors = own.map((is, at) => is && network.values(layer.inputs[1 - at])).filter(Boolean);
  return gradient.map((each, i) =>
    factors.reduce((sum, values) => sum + each * values[i % values.length], 0));
}

const leakyBack = ({ layer, before, gradient }) =>
  gradient.map((each, i) => each * (before[i] > 0 ? 1 : layer.options.alpha));

const PAIRS = new Set(["ADD", "SUB", "MUL"]);

const BACK = {
  FULLY_CONNECTED: denseBack, CONV_2D: convolutionBack, MEAN: meanBack, REDUCE_MAX: largestBack,
  MAX_POOL_2D: poolBack, AVERAGE_POOL_2D: poolBack, LEAKY_RELU: leakyBack,
  ADD: pairBack, SUB: pairBack, MUL: pairBack,
  ...Object.fromEntries(RESHAPING.map((kind) => [kind, ({ gradient }) => gradient])),
};

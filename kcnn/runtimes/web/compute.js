// The arithmetic of one number of a layer's output, as the layer itself computes it.

const SAME = 0;
const FUSED = ["none", "relu", "relu_n1_to_1", "relu6", "tanh"];

const erf = (x) => {
  // Abramowitz and Stegun 7.1.26, accurate to 1.5e-7.
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t
    + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
};

/** Activations by name. */
export const ACTIVATIONS = {
  none: (x) => x,
  relu: (x) => Math.max(0, x),
  relu_n1_to_1: (x) => Math.min(1, Math.max(-1, x)),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  tanh: Math.tanh,
  logistic: (x) => 1 / (1 + Math.exp(-x)),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  hard_swish: (x) => (x * Math.min(6, Math.max(0, x + 3))) / 6,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  square: (x) => x * x,
  neg: (x) => -x,
  abs: Math.abs,
};

/** The activation that a layer applies to its sum. */
export const fused = (layer) => FUSED[layer.options.fusedActivationFunction ?? 0] ?? "none";

/** Return the window of an output pixel on a layer's input, {top, left, height, width, dy, dx}. */
export function windowOf(network, layer, y, x) {
  const { options } = layer;
  const [height, width] = network.shape(layer.inputs[0]);
  const [, rows, columns] = layer.inputs[1]?.shape ?? [];
  const [kh, kw] = [options.filterHeight ?? rows, options.filterWidth ?? columns];
  const [dy, dx] = [options.dilationHFactor ?? 1, options.dilationWFactor ?? 1];
  const start = (at, stride, kernel, dilation, size, outputs) => {
    const needed = (outputs - 1) * stride + (kernel - 1) * dilation + 1;
    const padding = options.padding === SAME ? Math.max(0, needed - size) >> 1 : 0;
    return at * stride - padding;
  };
  const [, outHeight, outWidth] = layer.shape;
  return {
    top: start(y, options.strideH, kh, dy, height, outHeight),
    left: start(x, options.strideW, kw, dx, width, outWidth),
    height: kh, width: kw, dy, dx,
  };
}

/** Return the numbers of a channel under a window, row by row; null outside of the map. */
export function patch(network, input, { top, left, height, width, dy, dx }, channel) {
  const values = network.values(input);
  const [rows, columns, channels] = network.shape(input);
  const found = [];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const [y, x] = [top + i * dy, left + j * dx];
      const inside = y >= 0 && x >= 0 && y < rows && x < columns;
      found.push(inside ? values[(y * columns + x) * channels + channel] : null);
    }
  }
  return found;
}

function convolution(network, layer, { y, x, channel }) {
  const [input, weights, bias] = layer.inputs;
  const kernel = network.constant(weights);
  const [filters, kh, kw, depth] = weights.shape;
  const deep = layer.kind === "DEPTHWISE_CONV_2D";
  const [, , channels] = network.shape(input);
  const first = deep
    ? Math.floor(channel / (depth / channels))
    : Math.floor(channel / (filters / (channels / depth))) * depth;  // of its group
  const place = windowOf(network, layer, y, x);
  const rows = [];
  for (let c = 0; c < (deep ? 1 : depth); c++) {
    const seen = patch(network, input, place, first + c);
    const taps = seen.map((_, tap) =>
      kernel[deep ? tap * depth + channel : (channel * kh * kw + tap) * depth + c]);
    const products = taps.map((weight, tap) => weight * (seen[tap] ?? 0));
    rows.push({ channel: first + c, seen, taps, products, sum: total(products) });
  }
  return summed("convolution", network, layer, rows, bias, channel, place);
}

function dense(network, layer, { y, x, channel }) {
  const [input, weights, bias] = layer.inputs;
  const kernel = network.constant(weights);
  const size = weights.shape.at(-1);
  const first = layer.shape.length === 4 ? (y * layer.shape[2] + x) * size : 0;
  const values = network.values(input).subarray(first, first + size);
  const rows = Array.from(values, (seen, index) => {
    const weight = kernel[channel * size + index];
    return { channel: index, seen: [seen], taps: [weight], products: [weight * seen], sum: weight * seen };
  });
  return summed("dense", network, layer, rows, bias, channel);
}

function summed(form, network, layer, rows, bias, channel, place) {
  const shift = bias ? network.constant(bias)[channel] : 0;
  const sum = rows.reduce((all, row) => all + row.sum, 0);
  return { form, rows, bias: shift, sum, window: place, ...finished(layer, sum + shift) };
}

function pooling(network, layer, { y, x, channel }) {
  const place = windowOf(network, layer, y, x);
  const seen = patch(network, layer.inputs[0], place, channel);
  const known = seen.filter((each) => each !== null);
  const largest = layer.kind === "MAX_POOL_2D";
  const value = largest ? Math.max(...known) : total(known) / known.length;
  return { form: largest ? "largest" : "mean", seen, window: place, ...finished(layer, value) };
}

/** The mean or the largest of a whole map. */
function global(network, layer, { channel }) {
  const [height, width] = network.shape(layer.inputs[0]);
  const place = { top: 0, left: 0, height, width, dy: 1, dx: 1 };
  const seen = patch(network, layer.inputs[0], place, channel);
  const largest = layer.kind === "REDUCE_MAX";
  const value = largest ? Math.max(...seen) : total(seen) / seen.length;
  return { form: largest ? "largest" : "mean", seen, window: place, ...finished(layer, value) };
}

const PAIRS = {
  ADD: ["+", (a, b) => a + b], SUB: ["−", (a, b) => a - b],
  MUL: ["×", (a, b) => a * b], DIV: ["÷", (a, b) => a / b],
};

function pair(network, layer, place) {
  const [sign, apply] = PAIRS[layer.kind];
  const terms = layer.inputs.map((input) => at(network, input, place));
  return { form: "pair", sign, terms, ...finished(layer, apply(...terms)) };
}

/** The number of an input at a place of the output; a constant may be one number a channel. */
function at(network, input, { y, x, channel }) {
  const [values, shape] = [network.values(input), network.shape(input)];
  const channels = shape.at(-1) ?? 1;
  if (values.length <= channels) return values[values.length === 1 ? 0 : channel];
  return values[(y * shape.at(-2) + x) * channels + (channels === 1 ? 0 : channel)];
}

function single(network, layer, place) {
  const name = layer.kind === "LEAKY_RELU" ? null : layer.kind.toLowerCase();
  const x = at(network, layer.inputs[0], place);
  const value = name ? ACTIVATIONS[name](x) : x > 0 ? x : layer.options.alpha * x;
  return { form: "single", terms: [x], value, activation: name ?? "leaky_relu" };
}

function finished(layer, value) {
  const name = fused(layer);
  return { before: value, activation: name, value: ACTIVATIONS[name](value) };
}

/** A number of the map before the layer, or the constant around it. */
function padding(network, layer, { y, x, channel }) {
  const [input, widths, fill] = layer.inputs;
  const [, , top, , left, , first] = network.constant(widths);
  const [rows, columns, channels] = network.shape(input);
  const [i, j, c] = [y - top, x - left, channel - first];
  const inside = i >= 0 && j >= 0 && c >= 0 && i < rows && j < columns && c < channels;
  const constant = fill ? network.values(fill)[0] : 0;
  const value = inside ? network.values(input)[(i * columns + j) * channels + c] : constant;
  return { form: "padding", inside, value };
}

const total = (values) => values.reduce((all, each) => all + each, 0);

const FORMS = {
  CONV_2D: convolution, DEPTHWISE_CONV_2D: convolution, FULLY_CONNECTED: dense,
  PAD: padding, PADV2: padding,
  MAX_POOL_2D: pooling, AVERAGE_POOL_2D: pooling, MEAN: global, REDUCE_MAX: global,
  ...Object.fromEntries(Object.keys(PAIRS).map((kind) => [kind, pair])),
};

/** Return how a layer computes the number at {y, x, channel}; null where the page cannot say. */
export function explain(network, layer, place) {
  const name = layer.kind.toLowerCase();
  const form = FORMS[layer.kind] ?? (name in ACTIVATIONS || name === "leaky_relu" ? single : null);
  const spatial = layer.inputs.length && network.shape(layer.inputs[0])?.length === 3;
  if (!form || (form === global && !spatial)) return null;
  return form(network, layer, place);
}

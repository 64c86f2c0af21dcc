// A network in the page: its layers, their weights, and the feature maps of the latest picture.

import { Model } from "./litert.js";

const STORED = {
  float32: Float32Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array,
  int32: Int32Array, int64: BigInt64Array,
};

/** A `.tflite` model all of whose layers are outputs; `facts` describes them. */
export class Network {
  static async open(litert, facts, bytes) {
    return new Network(await Model.open(litert, bytes), facts, bytes);
  }

  constructor(model, facts, bytes) {
    this.model = model;
    this.bytes = bytes;
    this.id = facts.id;
    this.layers = facts.layers;
    this.source = facts.source;
    this.shapes = new Map([[facts.source, facts.image]]);
    for (const { output, shape } of facts.layers) this.shapes.set(output, shape.slice(1));
    this.maps = new Map();
    this.constants = new Map();
    const places = new Map(model.outputs.map(({ name }, place) => [name, place]));
    this.places = facts.layers.map(({ output }) => places.get(`map${output}`));
  }

  /** Compute every layer's map of a picture of raw pixels. */
  async run(picture) {
    const found = await this.model.run(picture, this.places);
    this.maps = new Map([[this.source, Float32Array.from(picture)]]);
    this.layers.forEach(({ output }, index) => this.maps.set(output, found[index]));
  }

  /** Return the real numbers of a layer's input: a map of this picture, or a constant. */
  values(input) {
    return typeof input === "number" ? this.maps.get(input) : this.constant(input);
  }

  shape(input) {
    return typeof input === "number" ? this.shapes.get(input) : input.shape;
  }

  /** Return the real numbers of a constant: weights, a bias, the axes of a mean. */
  constant(facts) {
    if (!this.constants.has(facts)) {
      const { offset, bytes, dtype } = facts;
      const stored = new STORED[dtype](this.bytes.slice(offset, offset + bytes).buffer);
      this.constants.set(facts, real(stored, facts));
    }
    return this.constants.get(facts);
  }

  /** The layer whose output is the logits: the last one, before a softmax or sigmoid. */
  get scores() {
    const squashed = (layer) => layer.kind === "SOFTMAX" || layer.kind === "LOGISTIC";
    return this.layers.findLast((layer) => !squashed(layer));
  }
}

function real(stored, { dtype, shape, scales, zeros, axis }) {
  if (dtype === "float16") return Float32Array.from(stored, float16);
  const values = Float32Array.from(stored, Number);
  if (!scales.length) return values;
  const inner = shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  const at = (index) => (scales.length === 1 ? 0 : Math.floor(index / inner) % scales.length);
  return values.map((each, index) => scales[at(index)] * (each - (zeros[at(index)] ?? zeros[0] ?? 0)));
}

function float16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
}

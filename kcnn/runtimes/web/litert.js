// A `.tflite` model on LiteRT.js.

const ARRAYS = { uint8: Uint8Array, float32: Float32Array };

/** A model that takes one picture of raw pixels, stored as its input stores them. */
export class Model {
  /** `source` is the address of the model, or its bytes. */
  static async open(litert, source) {
    return new Model(litert.Tensor, await litert.loadAndCompile(source, { accelerator: "wasm" }));
  }

  constructor(Tensor, model) {
    const [input] = model.getInputDetails();
    this.Tensor = Tensor;
    this.model = model;
    this.Array = ARRAYS[input.dtype];
    this.shape = Array.from(input.shape);
    this.outputs = model.getOutputDetails();
  }

  /** Return the stored numbers of some outputs, by their places among `outputs`. */
  async run(pixels, places) {
    const picture = new this.Tensor(this.Array.from(pixels), this.shape);
    const results = await this.model.run(picture);
    const stored = [];
    for (const place of places) stored.push((await results[place].data()).slice());
    for (const tensor of [picture, ...results]) tensor.delete();
    return stored;
  }
}

// Classifies pictures with LiteRT.js. `page.json` describes the model's input and output.
//
// With `?verify` the page needs no visitor: it fetches images, classifies them, and posts the
// outputs, or the error, to `result`.

const ARRAYS = { uint8: Uint8Array, float32: Float32Array };
const SHOWN_CLASSES = 5;
const WARM_UPS = 3;
const TIMED_RUNS = 20;  // many, because browsers round their clock

const $ = (id) => document.getElementById(id);

/** A `.tflite` classifier: raw bytes of one picture in, the stored numbers of its output out. */
class Classifier {
  static async open(page) {
    const litert = await import("@litertjs/core");
    await litert.loadLiteRt("node_modules/@litertjs/core/wasm/");
    const model = await litert.loadAndCompile(page.model, { accelerator: "wasm" });
    return new Classifier(litert.Tensor, model, page.image);
  }

  constructor(Tensor, model, shape) {
    const [input] = model.getInputDetails();
    this.Tensor = Tensor;
    this.model = model;
    this.Array = ARRAYS[input.dtype];
    this.shape = [1, ...shape];
    // A model may have a feature map as second output.
    this.output = model.getOutputDetails().findIndex((each) => each.shape.length === 2);
  }

  async run(bytes) {
    const picture = new this.Tensor(this.Array.from(bytes), this.shape);
    const results = await this.model.run(picture);
    const stored = (await results[this.output].data()).slice();
    for (const tensor of [picture, ...results]) tensor.delete();
    return stored;
  }
}

async function get(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}

const json = async (url) => (await get(url)).json();
const bytes = async (url) => new Uint8Array(await (await get(url)).arrayBuffer());

function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function* pictures(all, size) {
  for (let start = 0; start < all.length; start += size) yield all.subarray(start, start + size);
}

// ---- `?verify`: without a visitor

async function verify(classifier, page) {
  const { batches } = await json("verify/job.json");
  const size = page.image.reduce((product, side) => product * side);
  const outputs = [];
  const milliseconds = [];
  for (let index = 0; index < batches; index++) {
    for (const picture of pictures(await bytes(`verify/images/${index}`), size)) {
      if (!outputs.length) for (let i = 0; i < WARM_UPS; i++) await classifier.run(picture);
      const started = performance.now();
      outputs.push(Array.from(await classifier.run(picture)));
      milliseconds.push(performance.now() - started);
    }
  }
  return { outputs, milliseconds: median(milliseconds), browser: navigator.userAgent };
}

const post = (result) => fetch("result", { method: "POST", body: JSON.stringify(result) });

// ---- with a visitor

/** Return each class's probability. */
function probabilities(stored, { scale, zero_point: zeroPoint, softmax }) {
  const real = Array.from(stored, (each) => (scale === null ? each : scale * (each - zeroPoint)));
  if (!softmax) return real;  // the model ends in a softmax or in sigmoids
  const largest = Math.max(...real);
  const shares = real.map((each) => Math.exp(each - largest));
  const sum = shares.reduce((total, share) => total + share);
  return shares.map((share) => share / sum);
}

function ranked(stored, page) {
  return probabilities(stored, page.output)
    .map((share, index) => ({ share, label: page.labels[index] ?? `class ${index}` }))
    .sort((one, other) => other.share - one.share);
}

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

function element(name, text, style) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
}

function draw(canvas, picture, [height, width, channels]) {
  [canvas.height, canvas.width] = [height, width];
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = picture[i * channels + (c % channels)];
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Return the center of a picture as the model takes it: scaled to its size, on white. */
async function pixelsOf(file, [height, width, channels]) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(whole.width / width, whole.height / height);
  const [w, h] = [width * scale, height * scale];
  const part = await createImageBitmap(
    whole, (whole.width - w) / 2, (whole.height - h) / 2, w, h,
    { resizeWidth: width, resizeHeight: height, resizeQuality: "high" },
  );
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(part, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const picture = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) picture[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    else picture.set([red, green, blue], 3 * i);
  }
  return picture;
}

async function show(classifier, page, file) {
  const picture = await pixelsOf(file, page.image);
  const stored = await classifier.run(picture);
  const started = performance.now();
  for (let i = 0; i < TIMED_RUNS; i++) await classifier.run(picture);
  const milliseconds = (performance.now() - started) / TIMED_RUNS;
  const classes = ranked(stored, page);
  draw($("seen"), picture, page.image);
  $("size").textContent = `What the model sees: ${page.image[1]} × ${page.image[0]} pixels`;
  $("best").textContent = classes[0].label;
  $("classes").replaceChildren(...classes.slice(0, SHOWN_CLASSES).map(({ label, share }) => {
    const row = element("li");
    row.style.setProperty("--share", `${100 * share}%`);
    row.append(element("span", label), element("span", percent(share)));
    return row;
  }));
  $("time").textContent = `${milliseconds.toFixed(2)} ms, the mean of ${TIMED_RUNS} runs`;
  $("answer").hidden = false;
}

async function showGolden(classifier, page) {
  const size = page.image.reduce((product, side) => product * side);
  let exact = 0;
  for (const picture of pictures(await bytes(page.golden.images), size)) {
    const index = $("tiles").children.length;
    const stored = await classifier.run(picture);
    const expected = page.golden.outputs[index];
    const same = stored.every((each, place) => each === expected[place]);
    exact += same;
    const [{ label, share }] = ranked(stored, page);
    const tile = element("li");
    const canvas = element("canvas");
    draw(canvas, picture, page.image);
    const mark = element("span", same ? "✓" : "✗ differs", same ? "good" : "bad");
    const caption = element("p", `${label} ${percent(share)}\u00a0`);
    caption.append(mark);
    tile.append(canvas, caption);
    $("tiles").append(tile);
  }
  const count = $("tiles").children.length;
  $("verdict").textContent = exact === count
    ? `All ${count} answers equal LiteRT's on a computer, bit for bit.`
    : `${exact} of ${count} answers equal LiteRT's on a computer, bit for bit; the others differ.`;
  $("verdict").className = exact === count ? "good" : "bad";
  $("golden").hidden = false;
}

function listen(classifier, page) {
  const take = async (file) => {
    if (!file) return;
    try {
      await show(classifier, page, file);
      $("status").hidden = true;
    } catch (error) {
      complain(`${file.name || "This"} cannot be read as a picture (${error.message}).`);
    }
  };
  $("file").addEventListener("change", (event) => take(event.target.files[0]));
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

function complain(text) {
  $("status").textContent = text;
  $("status").className = "error";
  $("status").hidden = false;
}

async function main() {
  const driven = new URLSearchParams(location.search).has("verify");
  $("status").textContent = "Loading the model …";
  try {
    const page = await json("page.json");
    document.title = $("title").textContent = page.title;
    const classifier = await Classifier.open(page);
    if (driven) return await post(await verify(classifier, page));
    $("about").textContent = page.about;
    $("status").hidden = true;
    $("main").hidden = false;
    listen(classifier, page);
    if (page.golden) await showGolden(classifier, page);
  } catch (error) {
    const reason = error?.message ?? String(error);
    if (driven) return await post({ error: reason });
    complain(reason.includes("module") ? `${reason}. Run npm ci in this folder first.` : reason);
  }
}

main();

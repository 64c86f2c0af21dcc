// Classifies pictures with LiteRT.js, and draws where the evidence is: the small form of the page of
// `kcnn explore`. `page.json` describes the model's input and output.
//
// With `?verify` the page needs no visitor: it fetches images, classifies them, and posts the
// outputs, or the error, to `result`.

import { fillAnswers } from "./answers.js";
import { Camera } from "./camera.js";
import { percent, read } from "./classes.js";
import { draw, element, listen } from "./elements.js";
import { headOf, heatMap, noteOf } from "./heat.js";
import { learn, say } from "./language.js";
import { Model } from "./litert.js";
import { Network } from "./network.js";
import { pixelsOf } from "./picture.js";
import { Stage } from "./stage.js";
import { WORDS } from "./words.js";

const WARM_UPS = 3;
const TIMED = 100;  // images of which percentiles are taken, some of them again if there are fewer
const LONGEST = 1000;  // ms for such repetitions
const TIMED_RUNS = 20;  // many, because browsers round their clock

const $ = (id) => document.getElementById(id);

async function open(page) {
  const litert = await import("@litertjs/core");
  await litert.loadLiteRt("node_modules/@litertjs/core/wasm/");
  const model = await Model.open(litert, page.model);
  // A model may have a feature map as second output.
  const place = model.outputs.findIndex((each) => each.shape.length === 2);
  return { litert, run: async (picture) => (await model.run(picture, [place]))[0] };
}

async function get(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}

const json = async (url) => (await get(url)).json();
const bytes = async (url) => new Uint8Array(await (await get(url)).arrayBuffer());

function* pictures(all, size) {
  for (let start = 0; start < all.length; start += size) yield all.subarray(start, start + size);
}

// ---- `?verify`: without a visitor

async function verify(classifier, page) {
  const { batches, photographs } = await json("verify/job.json");
  const size = page.image.reduce((product, side) => product * side);
  const outputs = [];
  const milliseconds = [];
  let first;
  let latest;
  for (let index = 0; index < batches; index++) {
    for (const picture of pictures(await bytes(`verify/images/${index}`), size)) {
      if (!outputs.length) {
        first = (await timed(classifier, picture)).taken;
        for (let i = 1; i < WARM_UPS; i++) await classifier.run(picture);
      }
      const { output, taken } = await timed(classifier, picture);
      outputs.push(Array.from(output));
      milliseconds.push(taken);
      latest = picture;
    }
  }
  const end = performance.now() + LONGEST;
  while (latest && milliseconds.length < TIMED && performance.now() < end) {
    milliseconds.push((await timed(classifier, latest)).taken);
  }
  const pixels = [];
  for (let index = 0; index < photographs; index++) {
    const file = await (await get(`verify/photographs/${index}`)).blob();
    pixels.push(Array.from(await pixelsOf(file, page.image)));
  }
  return { outputs, pixels, first, milliseconds, browser: navigator.userAgent };
}

async function timed(classifier, picture) {
  const started = performance.now();
  const output = await classifier.run(picture);
  return { output, taken: performance.now() - started };
}

const post = (result) => fetch("result", { method: "POST", body: JSON.stringify(result) });

// ---- with a visitor

/** What a visitor sees of a picture: the answer, and where the evidence for a class is. */
class Answer {
  /** `network` computes the last feature map and what is behind it, or is undefined. */
  constructor(classifier, page, network) {
    [this.classifier, this.page, this.network] = [classifier, page, network];
    this.head = network && headOf(network);
    this.stage = new Stage($("stage"), page.image, () => {});
    $("heated").addEventListener("change", () => this.draw());
  }

  /** Classify a file or the camera's video; `timed` also measures how long that takes. */
  async show(source, timed) {
    const { page, classifier } = this;
    const picture = await pixelsOf(source, page.image);
    const { classes, predicted } = read(await classifier.run(picture), page);
    [this.classes, this.predicted] = [classes, predicted];
    if (this.head) await this.network.run(picture);
    [this.picture, this.wanted] = [picture, undefined];
    this.draw();
    $("time").hidden = !timed;
    if (timed) {
      const started = performance.now();
      for (let i = 0; i < TIMED_RUNS; i++) await classifier.run(picture);
      const milliseconds = ((performance.now() - started) / TIMED_RUNS).toFixed(2);
      say($("time"), "speed", { milliseconds, runs: TIMED_RUNS });
    }
    $("answer").hidden = false;
  }

  /** Draw the latest answer, in the page's language. */
  draw() {
    if (!this.picture) return;
    const { classes, predicted, page: { image } } = this;
    const chosen = this.wanted ?? classes[0].index;
    const [labels, shares] = [[], []];
    for (const { index, label, share } of classes) [labels[index], shares[index]] = [label, share];
    const heat = this.heat = this.head && heatMap(this.network, this.head, chosen);
    this.stage.show(this.picture, $("heated").checked ? heat : null);
    say($("size"), "size", { height: image[0], width: image[1] });
    say($("best"), predicted.length ? "best" : "none", {
      labels: predicted.map(({ label }) => label).join(", "),
    });
    fillAnswers($("answers"), { shares: [shares], labels, ids: ["probability"], chosen }, (index) => {
      this.wanted = index === this.wanted ? undefined : index;
      this.draw();
    });
    $("heat-note").textContent = noteOf(heat, labels[chosen]);
    $("heated").hidden = !heat;
  }
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
    const { predicted } = read(stored, page);
    const tile = element("li");
    const canvas = element("canvas");
    draw(canvas, picture, page.image);
    const mark = element("span", "✓", same ? "good" : "bad");
    if (!same) say(mark, "differs");
    const named = predicted.map(({ label, share }) => `${label} ${percent(share)}`).join(", ");
    const caption = element("p", `${named || "–"}\u00a0`);
    caption.append(mark);
    tile.append(canvas, caption);
    $("tiles").append(tile);
  }
  const count = $("tiles").children.length;
  say($("verdict"), exact === count ? "same" : "unlike", { exact, count });
  $("verdict").className = exact === count ? "good" : "bad";
  $("golden").hidden = false;
}

function watch(answer) {
  const button = $("camera");
  const camera = new Camera($("video"), (video) => answer.show(video, false), (on) => {
    say(button, on ? "camera.stop" : "camera");
    button.setAttribute("aria-pressed", on);
  });
  button.addEventListener("click", () => camera.toggle().catch((error) =>
    complain("no.camera", { reason: error.message })));
  listen($("file"), $("drop"), async (file) => {
    camera.stop();
    try {
      await answer.show(file, true);
      $("status").hidden = true;
    } catch (error) {
      complain("unreadable", { name: file.name, reason: error.message });
    }
  });
}

function complain(key, values) {
  say($("status"), key, values);
  $("status").className = "error";
  $("status").hidden = false;
}

async function main() {
  const driven = new URLSearchParams(location.search).has("verify");
  let answer;
  learn(WORDS, () => answer?.draw());
  say($("status"), "loading");
  try {
    const page = await json("page.json");
    document.title = $("title").textContent = page.title;
    const classifier = await open(page);
    if (driven) return await post(await verify(classifier, page));
    $("about").textContent = page.about;
    const network = page.network && await Network.open(
      classifier.litert, { ...page.network, image: page.image }, await bytes(page.network.model));
    answer = new Answer(classifier, page, network);
    self.answer = answer;  // for a look from the console
    watch(answer);
    $("status").hidden = true;
    $("main").hidden = false;
    if (page.golden) await showGolden(classifier, page);
  } catch (error) {
    const reason = error?.message ?? String(error);
    if (driven) return await post({ error: reason });
    complain(reason.includes("module") ? "missing" : "failed", { reason });
  }
}

main();

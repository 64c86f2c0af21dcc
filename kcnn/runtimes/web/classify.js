// Classifies pictures with LiteRT.js. `page.json` describes the model's input and output.
//
// With `?verify` the page needs no visitor: it fetches images, classifies them, and posts the
// outputs, or the error, to `result`.

import { Camera } from "./camera.js";
import { percent, read } from "./classes.js";
import { bar, draw, element, listen } from "./elements.js";
import { learn, say } from "./language.js";
import { Model } from "./litert.js";
import { pixelsOf } from "./picture.js";
import { WORDS } from "./words.js";

const SHOWN_CLASSES = 5;
const WARM_UPS = 3;
const TIMED_RUNS = 20;  // many, because browsers round their clock

const $ = (id) => document.getElementById(id);

async function open(page) {
  const litert = await import("@litertjs/core");
  await litert.loadLiteRt("node_modules/@litertjs/core/wasm/");
  const model = await Model.open(litert, page.model);
  // A model may have a feature map as second output.
  const place = model.outputs.findIndex((each) => each.shape.length === 2);
  return { run: async (picture) => (await model.run(picture, [place]))[0] };
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
  const { batches, photographs } = await json("verify/job.json");
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
  const pixels = [];
  for (let index = 0; index < photographs; index++) {
    const file = await (await get(`verify/photographs/${index}`)).blob();
    pixels.push(Array.from(await pixelsOf(file, page.image)));
  }
  return { outputs, pixels, milliseconds: median(milliseconds), browser: navigator.userAgent };
}

const post = (result) => fetch("result", { method: "POST", body: JSON.stringify(result) });

// ---- with a visitor

/** Classify a file or the camera's video; `timed` also measures how long that takes. */
async function show(classifier, page, source, timed) {
  const picture = await pixelsOf(source, page.image);
  const { classes, predicted } = read(await classifier.run(picture), page);
  draw($("seen"), picture, page.image);
  say($("size"), "size", { height: page.image[0], width: page.image[1] });
  say($("best"), predicted.length ? "best" : "none", {
    labels: predicted.map(({ label }) => label).join(", "),
  });
  $("classes").replaceChildren(...classes.slice(0, SHOWN_CLASSES).map(bar));
  $("time").hidden = !timed;
  if (timed) {
    const started = performance.now();
    for (let i = 0; i < TIMED_RUNS; i++) await classifier.run(picture);
    const milliseconds = ((performance.now() - started) / TIMED_RUNS).toFixed(2);
    say($("time"), "speed", { milliseconds, runs: TIMED_RUNS });
  }
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

function watch(classifier, page) {
  const button = $("camera");
  const camera = new Camera($("video"), (video) => show(classifier, page, video, false), (on) => {
    say(button, on ? "camera.stop" : "camera");
    button.setAttribute("aria-pressed", on);
  });
  button.addEventListener("click", () => camera.toggle().catch((error) =>
    complain("no.camera", { reason: error.message })));
  listen($("file"), $("drop"), async (file) => {
    camera.stop();
    try {
      await show(classifier, page, file, true);
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
  learn(WORDS);
  say($("status"), "loading");
  try {
    const page = await json("page.json");
    document.title = $("title").textContent = page.title;
    const classifier = await open(page);
    if (driven) return await post(await verify(classifier, page));
    $("about").textContent = page.about;
    $("status").hidden = true;
    $("main").hidden = false;
    watch(classifier, page);
    if (page.golden) await showGolden(classifier, page);
  } catch (error) {
    const reason = error?.message ?? String(error);
    if (driven) return await post({ error: reason });
    complain(reason.includes("module") ? "missing" : "failed", { reason });
  }
}

main();

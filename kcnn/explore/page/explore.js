// The page of `kcnn explore`: a picture, the network's answer, and every layer on the way.

import { fillAnswers, sharesOf } from "./answers.js";
import { Camera } from "./camera.js";
import { percent } from "./classes.js";
import { Detail } from "./detail.js";
import { draw, element, listen } from "./elements.js";
import { headOf, heatMap, noteOf } from "./heat.js";
import { learn, say, t } from "./language.js";
import { buildCards, drawCards } from "./layers.js";
import { Network } from "./network.js";
import { loadLiteRt, unpack } from "./offline.js";
import { pixelsOf } from "./picture.js";
import { Softmax } from "./softmax.js";
import { latest, Stage } from "./stage.js";
import { WORDS } from "./texts.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);

class Explorer {
  constructor(facts, networks) {
    [this.facts, this.networks] = [facts, networks];
    this.view = new View(networks, facts.labels);
    this.heads = networks.map(headOf);
    this.detail = new Detail($("detail"), this.view);
    this.softmax = new Softmax($("softmax"));
    this.show = latest((picture) => this.compute(picture));
    this.stage = new Stage($("stage"), facts.image, () => this.again());
    this.camera = new Camera($("video"), (video) => this.take(video), (on) => {
      say($("camera"), on ? "camera.stop" : "camera");
      $("camera").setAttribute("aria-pressed", on);
    });
  }

  /** Compute everything for a picture of raw pixels, and show it. */
  async compute(picture) {
    this.picture = picture;
    const covered = this.stage.covered(picture);
    if (!this.stage.patch) this.uncovered = null;
    for (const network of this.networks) await network.run(covered);
    this.shares = this.networks.map(sharesOf);
    this.draw();
  }

  again() {
    if (this.picture) this.show(this.picture);
  }

  /** Show the latest numbers, in the page's language. */
  draw() {
    const { labels } = this.facts;
    const best = this.shares[0].indexOf(Math.max(...this.shares[0]));
    this.uncovered ??= this.stage.patch ? null : { index: best, share: this.shares[0][best] };
    const chosen = this.wanted ?? (this.stage.patch && this.uncovered ? this.uncovered.index : best);
    const heat = this.heat = this.heads[0] && heatMap(this.networks[0], this.heads[0], chosen);
    this.stage.show(this.stage.covered(this.picture), $("heated").checked ? heat : null);
    fillAnswers($("answers"), {
      shares: this.shares, labels, ids: this.networks.map(({ id }) => id), chosen,
    }, (index) => {
      this.wanted = index === this.wanted ? undefined : index;
      this.draw();
    });
    $("heat-note").textContent = noteOf(heat, labels[chosen]);
    $("heated").hidden = !heat;
    $("cover-note").textContent = this.stage.patch && this.uncovered
      ? t("covered", {
        label: labels[this.uncovered.index], before: percent(this.uncovered.share),
        after: percent(this.shares[0][this.uncovered.index]),
      })
      : t("cover.help");
    drawCards(this.cards, this.view);
    this.detail.refresh();
    this.drawSoftmax();
  }

  drawSoftmax() {
    const [network] = this.networks;
    const logits = network.values(network.scores.output);
    $("softmax").hidden = logits.length === 1 || network.layers.at(-1).kind === "LOGISTIC";
    if (!$("softmax").hidden) this.softmax.update(logits, this.facts.labels);
  }

  /** Take a file or the camera's video. */
  async take(source) {
    const picture = await pixelsOf(source, this.facts.image);
    this.wanted = this.uncovered = undefined;
    await this.show(picture);
  }

  async choose(file) {
    this.camera.stop();
    try {
      await this.take(file);
      $("status").hidden = true;
    } catch (error) {
      complain("unreadable", { name: file.name, reason: error.message });
    }
  }

  /** Build all that does not depend on the picture; again after a change of the language. */
  build() {
    const [height, width] = this.facts.image;
    $("size").textContent = t("seen.size", { height, width });
    this.detail.player.stop();
    $("detail").hidden = true;
    $("home").append($("detail"));
    this.cards = buildCards($("layers"), this.view, (index, channel) =>
      this.detail.open(index, channel, this.cards[index]));
    if (this.shares) this.draw();
  }

  listen() {
    listen($("file"), $("drop"), (file) => this.choose(file));
    $("heated").addEventListener("change", () => this.draw());
    $("covering").addEventListener("change", (event) => this.stage.cover(event.target.checked));
    $("camera").addEventListener("click", () =>
      this.camera.toggle().catch((error) => complain("no.camera", { reason: error.message })));
    for (const each of document.querySelectorAll("[name=view]")) {
      each.addEventListener("change", () => {
        this.view.kind = each.value;
        this.draw();
      });
    }
  }

  /** Show the pictures that lie in the page; the first one at once. */
  async addSamples() {
    const pictures = this.facts.samples.map(({ pixels }) =>
      Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0)));
    $("samples").replaceChildren(...pictures.map((picture, index) => {
      const [button, canvas] = [element("button"), element("canvas")];
      button.type = "button";
      button.title = this.facts.samples[index].name;
      button.setAttribute("aria-label", this.facts.samples[index].name);
      draw(canvas, picture, this.facts.image);
      button.append(canvas);
      button.addEventListener("click", () => {
        this.camera.stop();
        this.wanted = this.uncovered = undefined;
        this.show(picture);
      });
      return button;
    }));
    await this.show(pictures[0]);
  }
}

function complain(key, values) {
  say($("status"), key, values);
  $("status").className = "error";
  $("status").hidden = false;
}

async function main() {
  let explorer;
  learn(WORDS, () => explorer?.build());
  say($("status"), "loading");
  try {
    const facts = JSON.parse($("facts").textContent);
    const litert = await loadLiteRt();
    const networks = [];
    for (const { id, ...each } of facts.networks) {
      const bytes = await unpack(`model-${id}`);
      networks.push(await Network.open(litert, { id, ...each, image: facts.image }, bytes));
    }
    explorer = new Explorer(facts, networks);
    explorer.build();
    explorer.listen();
    await explorer.addSamples();
    $("main").hidden = false;
    $("status").hidden = true;
    self.explorer = explorer;  // for a look from the console, as `modules`
  } catch (error) {
    complain("failed", { reason: error?.message ?? String(error) });
    throw error;
  }
}

main();

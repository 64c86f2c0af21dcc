// The arithmetic of one number: which pixels of the map before it count, and what is added up.

import { channelOf, rangeOf } from "./colors.js";
import { explain } from "./compute.js";
import { element } from "./elements.js";
import { ARROWS } from "./keys.js";
import { t } from "./language.js";
import { numbersOf, titleOf } from "./layers.js";
import { magnify, short, signed, small } from "./numbers.js";
import { Player } from "./player.js";
import { conclusion, picture } from "./sums.js";

export class Detail {
  constructor(root, view) {
    [this.root, this.view] = [root, view];
    this.player = new Player(root.querySelector("[data-steps]"));
    this.map = this.part("map");
    this.part("close").addEventListener("click", () => this.close());
    this.part("channel").addEventListener("input", (event) => {
      const { channels } = this.size();
      const channel = Math.min(channels - 1, Math.max(0, Math.floor(Number(event.target.value) || 0)));
      this.point({ channel });
    });
    this.map.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || !this.pinned) this.follow(event);
    });
    this.map.addEventListener("pointerdown", (event) => {
      this.pinned = !this.pinned;
      this.follow(event);
    });
    this.map.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  /** Show a channel of a layer below its card, at the place of its largest number. */
  open(index, channel, card) {
    [this.index, this.card, this.pinned] = [index, card, false];
    card.card.append(this.root);
    this.root.hidden = false;
    const { height, width, channels, values } = this.size(true);
    let best = channels > 1 && height * width > 1 ? 0 : channel;
    if (values && height * width > 1) {
      const one = channelOf(values, channels, channel);
      best = one.indexOf(one.reduce((all, each) => Math.max(all, each), -Infinity));
    }
    this.place = { y: Math.floor(best / width), x: best % width, channel };
    if (height * width === 1) this.place = { y: 0, x: 0, channel };
    this.part("channel").max = channels - 1;
    this.refresh(true);
    this.root.scrollIntoView({ block: "nearest" });
    this.map.focus({ preventScroll: true });
  }

  close() {
    this.player.stop();
    this.root.hidden = true;
    this.card?.buttons[this.place.channel]?.focus();
  }

  /** The size of the layer's map; a vector is a single pixel of many channels. */
  size(withValues) {
    const { shape } = this.view.primary.layers[this.index];
    const [height, width] = shape.length === 4 ? shape.slice(1) : [1, 1];
    const values = withValues && numbersOf(this.view, this.index);
    return { height, width, channels: shape.at(-1), values };
  }

  follow(event) {
    const { height, width, channels } = this.size();
    const box = this.map.getBoundingClientRect();
    const share = (at, start, size) => Math.min(0.9999, Math.max(0, (at - start) / size));
    const [down, right] = [share(event.clientY, box.top, box.height), share(event.clientX, box.left, box.width)];
    if (height * width === 1) this.point({ channel: Math.floor(right * channels) });
    else this.point({ y: Math.floor(down * height), x: Math.floor(right * width) });
  }

  key(event) {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const { height, width, channels } = this.size();
    const moved = (at, by, size) => Math.min(size - 1, Math.max(0, at + by));
    const { y, x, channel } = this.place;
    if (height * width === 1) this.point({ channel: moved(channel, step[0] + step[1], channels) });
    else this.point({ y: moved(y, step[0], height), x: moved(x, step[1], width) });
  }

  point(change) {
    const next = { ...this.place, ...change };
    if (["y", "x", "channel"].every((each) => next[each] === this.place[each])) return;
    this.place = next;
    this.refresh(true);
  }

  /** Show the numbers of the latest picture; `moving` plays the sum. */
  refresh(moving = false) {
    if (this.root.hidden || this.index === undefined) return;
    const [network, layer] = this.view.layerOf(this.index);
    const shown = this.view.primary.layers[this.index];
    this.part("title").replaceChildren(titleOf(shown), element("span", shown.name, "name"));
    this.part("channel").value = this.place.channel;
    this.drawMap();
    this.part("where").textContent = this.where(shown);
    const found = layer && explain(network, layer, this.place);
    this.drawInput(network, layer, found);
    const { nodes, count, show } = found
      ? picture(found)
      : { nodes: [element("p", layer ? t("no.arithmetic") : t("no.partner"))], count: 1, show: () => "" };
    this.part("sum").replaceChildren(...nodes);
    this.player.load({ count, show }, moving);
    this.part("result").replaceChildren(...this.results(network, layer, found).map((text) => element("li", text)));
  }

  where(shown) {
    const { height, width } = this.size();
    const { channel } = this.place;
    if (height * width > 1) return t("place", this.place);
    if (shown !== this.view.primary.scores) return t("output", { channel });
    return t("output.class", { channel, label: this.view.labels[channel] });
  }

  results(network, layer, found) {
    if (!layer) return [];
    const value = this.value(network, layer);
    const lines = found ? conclusion(found, layer, value) : [t("litert", { value: short(value) })];
    const both = [[this.view.primary, this.view.primary.layers[this.index]], this.view.partnerOf(this.index)];
    if (both.every(([, each]) => each)) {
      const [first, second] = both.map(([one, each]) => this.value(one, each));
      lines.push(t("both", { float: short(first), int8: short(second), difference: signed(second - first) }));
    }
    return lines;
  }

  value(network, layer) {
    const { height, width, channels } = this.size();
    const { y, x, channel } = this.place;
    return network.values(layer.output)[height * width === 1 ? channel : (y * width + x) * channels + channel];
  }

  drawMap() {
    const { height, width, channels, values } = this.size(true);
    this.map.hidden = !values;
    if (!values) return;
    const { y, x, channel } = this.place;
    const range = rangeOf(values);
    if (height * width === 1) {
      magnify(this.map, small(values, 1, channels, range), { top: 0, left: channel, height: 1, width: 1 });
    } else {
      const one = channelOf(values, channels, channel);
      const drawn = small(one, height, width, { ...rangeOf(one), signed: range.signed });
      magnify(this.map, drawn, { top: y, left: x, height: 1, width: 1 });
    }
    this.map.setAttribute("aria-label", t("map.label", { ...this.place }));
  }

  /** Draw the map before the layer with the window that counts. */
  drawInput(network, layer, found) {
    const figure = this.part("input");
    figure.hidden = !found?.window;
    if (!found?.window) return;
    const [height, width, channels] = network.shape(layer.inputs[0]);
    const channel = found.rows ? strongestOf(found.rows) : this.place.channel;
    const one = channelOf(network.values(layer.inputs[0]), channels, channel);
    const { top, left, dy, dx } = found.window;
    const box = {
      top, left,
      height: (found.window.height - 1) * dy + 1, width: (found.window.width - 1) * dx + 1,
    };
    magnify(figure.querySelector("canvas"), small(one, height, width, rangeOf(one)), box);
    figure.querySelector("figcaption").textContent = t("input.channel", { channel });
  }
}

const strongestOf = (rows) =>
  rows.reduce((best, row) => (Math.abs(row.sum) > Math.abs(best.sum) ? row : best)).channel;

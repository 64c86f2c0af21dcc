// From logits to probabilities: the softmax of the latest picture, step by step.

import { element } from "./elements.js";
import { t } from "./language.js";
import { short } from "./numbers.js";
import { Player } from "./player.js";

const STEPS = 4;
const LARGEST = 20;  // classes that are shown

export class Softmax {
  constructor(root) {
    this.table = root.querySelector("tbody");
    this.root = root;
    this.player = new Player(root.querySelector("[data-steps]"));
    root.addEventListener("toggle", () => root.open && this.player.load(this.steps, true));
  }

  /** Show how logits become shares: each e^(z - the largest z), over the sum of them. */
  update(logits, labels) {
    const largest = Math.max(...logits);
    const powers = Array.from(logits, (each) => Math.exp(each - largest));
    const sum = powers.reduce((all, each) => all + each, 0);
    const order = [...powers.keys()].sort((one, other) => powers[other] - powers[one]);
    this.table.replaceChildren(...order.slice(0, LARGEST).map((index) => {
      const row = element("tr");
      const texts = [
        short(logits[index]), short(logits[index] - largest), powers[index].toFixed(4),
        (powers[index] / sum).toFixed(4),
      ];
      row.append(element("th", labels[index]), ...texts.map((text) => element("td", text)));
      row.lastChild.style.setProperty("--share", `${(100 * powers[index]) / sum}%`);
      return row;
    }));
    const show = (step) => {
      this.root.dataset.step = step;
      return [
        t("soft.0"), t("soft.1"), t("soft.2", { largest: short(largest) }),
        t("soft.3", { sum: sum.toFixed(4) }), t("soft.4"),
      ][step];
    };
    this.steps = { count: STEPS, show };
    this.player.load(this.steps, false);
  }
}

// Plays the steps of a sum, one product after the other.

import { t } from "./language.js";

const LONGEST = 250;
const WHOLE = 2400;  // milliseconds of all steps

export class Player {
  constructor(root) {
    this.play = root.querySelector("[data-play]");
    this.slider = root.querySelector("input[type=range]");
    this.said = root.querySelector("output");
    this.play.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    this.slider.addEventListener("input", () => { this.stop(); this.show(); });
  }

  /** Take steps: `count` of them, and `show(step)`, which returns the text of one. */
  load({ count, show }, moving) {
    this.stop();
    [this.count, this.draw] = [count, show];
    this.slider.max = count;
    this.slider.value = count;
    this.slider.parentElement.hidden = count < 2;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (moving && !still && count > 1) this.start();
    else this.show();
  }

  start() {
    if (Number(this.slider.value) >= this.count) this.slider.value = 0;
    this.label(true);
    this.timer = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.show();
      if (Number(this.slider.value) >= this.count) this.stop();
    }, Math.min(LONGEST, WHOLE / this.count));
    this.show();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.label(false);
  }

  label(playing) {
    this.play.textContent = playing ? t("pause") : t("play");
  }

  show() {
    this.said.textContent = this.draw(Number(this.slider.value));
  }
}

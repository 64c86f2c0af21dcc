// The picture that the network sees, the heat map over it, and a patch that covers a part of it.

import { paint } from "./colors.js";
import { draw } from "./elements.js";
import { ARROWS } from "./keys.js";

/** Return a function that works on the latest value it was given, one at a time. */
export function latest(work) {
  let [waiting, busy] = [null, false];
  return async (value) => {
    waiting = { value };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await work(next.value);
      }
    } finally {
      busy = false;
    }
  };
}

export class Stage {
  /** `image` is [height, width, channels]; `changed` is called when the patch has moved. */
  constructor(root, image, changed) {
    [this.root, this.image, this.changed] = [root, image, changed];
    this.seen = root.querySelector("[data-part=seen]");
    this.heat = root.querySelector("[data-part=heat]");
    this.side = Math.max(2, Math.round(Math.min(image[0], image[1]) / 4));
    this.seen.addEventListener("pointermove", (event) => this.follow(event));
    this.seen.addEventListener("pointerdown", (event) => this.follow(event));
    this.seen.addEventListener("pointerleave", (event) => {
      if (this.covering && event.pointerType === "mouse") this.move(null);
    });
    this.seen.addEventListener("keydown", (event) => this.key(event));
  }

  /** Cover a part of the picture from now on, or no longer. */
  cover(wanted) {
    this.covering = wanted;
    this.seen.classList.toggle("covering", wanted);
    const [height, width] = this.image;
    this.move(wanted ? { y: (height - this.side) >> 1, x: (width - this.side) >> 1 } : null);
  }

  follow(event) {
    if (!this.covering) return;
    const box = this.seen.getBoundingClientRect();
    const [height, width] = this.image;
    this.move({
      y: Math.floor(((event.clientY - box.top) / box.height) * height - this.side / 2),
      x: Math.floor(((event.clientX - box.left) / box.width) * width - this.side / 2),
    });
  }

  key(event) {
    const step = ARROWS[event.key];
    if (!step || !this.covering) return;
    event.preventDefault();
    const [height, width] = this.image;
    const { y, x } = this.patch ?? { y: height >> 1, x: width >> 1 };
    this.move({ y: y + step[0], x: x + step[1] });
  }

  move(patch) {
    const [height, width] = this.image;
    const inside = (at, size) => Math.min(size - this.side, Math.max(0, at));
    this.patch = patch && { y: inside(patch.y, height), x: inside(patch.x, width) };
    this.changed();
  }

  /** Return a picture as it is covered: the patch has the picture's mean color. */
  covered(picture) {
    if (!this.patch) return picture;
    const [height, width, channels] = this.image;
    const sums = new Float64Array(channels);
    picture.forEach((each, i) => { sums[i % channels] += each; });
    const mean = sums.map((each) => Math.round(each / (height * width)));
    const copy = picture.slice();
    for (let i = 0; i < this.side; i++) {
      for (let j = 0; j < this.side; j++) {
        copy.set(mean, ((this.patch.y + i) * width + this.patch.x + j) * channels);
      }
    }
    return copy;
  }

  /** Draw a picture and its heat map, or none. */
  show(picture, heat) {
    draw(this.seen, picture, this.image);
    this.heat.hidden = !heat?.peak;
    if (heat?.peak) {
      const range = { peak: heat.peak, signed: false };
      paint(this.heat, heat.values, heat.height, heat.width, range, true);
    }
  }
}

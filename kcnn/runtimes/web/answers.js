// The most likely classes in each network, and how the networks differ.

import { percent, probabilities } from "./classes.js";
import { ACTIVATIONS } from "./compute.js";
import { element } from "./elements.js";
import { t } from "./language.js";

const SHOWN = 5;

/** Return each class's probability. */
export function sharesOf(network) {
  const logits = network.values(network.scores.output);
  if (logits.length > 1 && network.layers.at(-1).kind === "LOGISTIC") {
    return Array.from(logits, ACTIVATIONS.logistic);
  }
  return probabilities(logits, { scale: null, activation: "softmax" });
}

/** Return a difference in percentage points. */
function points(share) {
  const size = Math.abs(100 * share).toFixed(1);
  return Number(size) ? `${share < 0 ? "−" : "+"}${size}` : size;
}

/** Fill a table: a row for each of the first classes; `choose` is called with a class. */
export function fillAnswers(table, { shares, labels, ids, chosen }, choose) {
  const order = labels.map((_, index) => index).sort((a, b) => shares[0][b] - shares[0][a]);
  const titles = ["class", ...ids, ...(shares.length > 1 ? ["difference"] : [])];
  const head = element("tr");
  head.append(...titles.map((title) => element("th", t(title))));
  const rows = order.slice(0, SHOWN).map((index) => {
    const row = element("tr");
    const [cell, button] = [element("th"), element("button", labels[index])];
    button.type = "button";
    button.setAttribute("aria-pressed", index === chosen);
    button.title = t("explain.class");
    button.addEventListener("click", () => choose(index));
    cell.append(button);
    row.append(cell);
    for (const each of shares) {
      const share = element("td", percent(each[index]), "share");
      share.style.setProperty("--share", `${100 * each[index]}%`);
      row.append(share);
    }
    if (shares.length > 1) row.append(element("td", points(shares[1][index] - shares[0][index])));
    return row;
  });
  const at = [...table.querySelectorAll("button")].indexOf(document.activeElement);
  table.replaceChildren(head, ...rows);
  if (at >= 0) table.querySelectorAll("button")[at]?.focus();
}

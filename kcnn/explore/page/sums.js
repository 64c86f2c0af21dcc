// How one number came about, as elements of the page and as steps to play.

import { rangeOf } from "./colors.js";
import { element } from "./elements.js";
import { t } from "./language.js";
import { grid, short, signed, whole } from "./numbers.js";

const ROWS = 3;
const PRODUCTS = 12;

/** Return {nodes, count, show} of an explanation: elements, how many steps, and what one shows. */
export function picture(found, layer) {
  return { convolution, dense, largest: pooling, mean: pooling, pair, single, padding }[found.form](found, layer);
}

function strongest(rows, count) {
  const order = [...rows].sort((one, other) => Math.abs(other.sum) - Math.abs(one.sum));
  const kept = new Set(order.slice(0, count));
  return rows.filter((row) => kept.has(row));
}

const sumOf = (rows) => rows.reduce((all, row) => all + row.sum, 0);

/** Mark the cells of the first `step` taps, and the latest of them. */
function mark(nodes, step) {
  for (const cell of nodes.flatMap((node) => [...node.querySelectorAll("[data-tap]")])) {
    const tap = Number(cell.dataset.tap);
    cell.classList.toggle("waiting", tap >= step);
    cell.classList.toggle("now", tap === step - 1);
  }
}

function convolution(found) {
  const rows = strongest(found.rows, ROWS);
  const columns = found.window.width;
  const ranges = ["seen", "taps", "products"].map((part) =>
    rangeOf(rows.flatMap((row) => row[part]).map(Number)));
  const nodes = rows.map((row) => {
    const line = element("div", undefined, "row");
    line.append(
      element("p", t("input.channel", { channel: row.channel }), "which"),
      part(t("patch"), grid(row.seen, columns, ranges[0])), element("b", "×"),
      part(t("kernel"), grid(row.taps, columns, { ...ranges[1], signed: true })), element("b", "="),
      part(t("products"), grid(row.products, columns, { ...ranges[2], signed: true })),
      element("p", `Σ = ${short(row.sum)}`, "subtotal"),
    );
    return line;
  });
  const others = found.rows.length - rows.length;
  if (others) {
    const rest = found.sum - sumOf(rows);
    nodes.push(element("p", t("other.channels", { count: others, sum: signed(rest) }), "others"));
  }
  const taps = found.rows[0].taps.length;
  const show = (step) => {
    mark(nodes, step);
    let sum = 0;
    for (const row of found.rows) for (let tap = 0; tap < step; tap++) sum += row.products[tap];
    const count = found.rows.length;
    return t("running", { done: step * count, all: taps * count, sum: short(sum) });
  };
  return { nodes, count: taps, show };
}

function part(title, cells) {
  const made = element("figure", undefined, "part");
  made.append(cells, element("figcaption", title));
  return made;
}

function dense(found) {
  const rows = strongest(found.rows, PRODUCTS);
  const table = element("table", undefined, "products");
  const head = element("tr");
  for (const key of ["input", "value", "weight", "product"]) head.append(element("th", t(key)));
  table.append(head);
  rows.forEach((row, tap) => {
    const line = element("tr");
    line.dataset.tap = tap;
    const cells = [String(row.channel), short(row.seen[0]), short(row.taps[0]), signed(row.sum)];
    line.append(...cells.map((text) => element("td", text)));
    table.append(line);
  });
  const nodes = [table];
  const others = found.rows.length - rows.length;
  const rest = found.sum - sumOf(rows);
  if (others) {
    nodes.push(element("p", t("other.products", { count: others, sum: signed(rest) }), "others"));
  }
  const show = (step) => {
    mark(nodes, step);
    const sum = step === rows.length ? found.sum : sumOf(rows.slice(0, step));
    const done = step === rows.length ? found.rows.length : step;
    return t("running", { done, all: found.rows.length, sum: short(sum) });
  };
  return { nodes, count: rows.length, show };
}

function pooling(found) {
  const range = rangeOf(found.seen.map(Number));
  const cells = grid(found.seen, found.window.width, range);
  const best = found.seen.indexOf(found.before);
  if (found.form === "largest") cells.children[best]?.classList.add("best");
  const nodes = [part(t(found.form === "largest" ? "patch.largest" : "patch.mean"), cells)];
  const show = (step) => {
    mark(nodes, step);
    const known = found.seen.slice(0, step).filter((each) => each !== null);
    if (!known.length) return "";
    if (found.form === "largest") return t("so.far.largest", { value: short(Math.max(...known)) });
    const sum = known.reduce((all, each) => all + each, 0);
    return t("so.far.mean", { sum: short(sum), count: known.length, value: short(sum / known.length) });
  };
  return { nodes, count: found.seen.length, show };
}

function pair(found) {
  const [one, other] = found.terms;
  const text = `${short(one)} ${found.sign} ${other < 0 ? `(${short(other)})` : short(other)} = ${short(found.before)}`;
  return { nodes: [element("p", text, "formula")], count: 1, show: () => "" };
}

function single(found) {
  const name = t(`act.${found.activation}`) ?? found.activation;
  const text = `${name}(${short(found.terms[0])}) = ${short(found.value)}`;
  return { nodes: [element("p", text, "formula")], count: 1, show: () => "" };
}

function padding(found) {
  const text = t(found.inside ? "copied" : "padded", { value: short(found.value) });
  return { nodes: [element("p", text, "formula")], count: 1, show: () => "" };
}

/** Return the end of the sum: bias, activation, rounding, and what LiteRT computed. */
export function conclusion(found, layer, stored) {
  const parts = [];
  if ("bias" in found) {
    const [sum, bias] = [short(found.sum), short(Math.abs(found.bias))];
    const sign = found.bias < 0 ? "−" : "+";
    parts.push(t("with.bias", { sum, sign, bias, value: short(found.before) }));
  }
  if (found.activation && found.activation !== "none" && found.form !== "single") {
    const name = t(`act.${found.activation}`) ?? found.activation;
    parts.push(`${name}(${short(found.before)}) = ${short(found.value)}`);
  }
  if (layer.step) {
    const [scale, zero] = layer.step;
    const level = whole(Math.round(stored / scale) + zero);
    const values = { scale: scale.toPrecision(3), level, zero: whole(zero), value: short(stored) };
    parts.push(t("rounded", values));
  }
  parts.push(t("litert", { value: short(stored) }));
  return parts;
}

// The network drawn layer by layer: a card for each, with the maps of its channels.

import { channelOf, paint, rangeOf } from "./colors.js";
import { fused } from "./compute.js";
import { element } from "./elements.js";
import { ARROWS } from "./keys.js";
import { t } from "./language.js";

const SHOWN = 8;

/** Return a layer's kind in words. */
export function titleOf(layer) {
  const [, rows, columns] = layer.inputs[1]?.shape ?? [];
  const size = [layer.options.filterHeight ?? rows, layer.options.filterWidth ?? columns].join(" × ");
  const title = t(`layer.${layer.kind}`, { size }) ?? layer.kind.toLowerCase().replaceAll("_", " ");
  const activation = fused(layer);
  return activation === "none" ? title : `${title} + ${t(`act.${activation}`) ?? activation}`;
}

/** Return what a card shows of a layer: its numbers in a network, or how two networks differ. */
export function numbersOf(view, index) {
  const [network, layer] = view.layerOf(index);
  if (!layer) return null;
  const values = network.values(layer.output);
  if (view.kind !== "difference") return values;
  const [other, same] = view.partnerOf(index);
  if (!same) return null;
  const theirs = other.values(same.output);
  return values.map((each, i) => theirs[i] - each);
}

/** Build the cards into a list; `choose` is called with a layer's index and a channel. */
export function buildCards(list, view, choose) {
  const cards = view.primary.layers.map((layer, index) => {
    const card = element("li", undefined, "card");
    const [head, maps] = [element("div", undefined, "head"), element("div", undefined, "maps")];
    card.append(head, maps);
    const channels = layer.shape.at(-1);
    const made = { card, head, maps, buttons: [], shown: Math.min(SHOWN, channels) };
    if (layer.shape.length !== 4) made.shown = 1;
    fill(made, layer, index, choose);
    return made;
  });
  list.replaceChildren(...cards.map(({ card }) => card));
  list.onkeydown = (event) => walk(event, cards);
  return cards;
}

/** Arrow keys go from map to map: along a layer, and to the layers above and below. */
function walk(event, cards) {
  const [down, right] = ARROWS[event.key] ?? [0, 0];
  const row = cards.findIndex(({ buttons }) => buttons.includes(event.target));
  if (row < 0 || (!down && !right)) return;
  const at = cards[row].buttons.indexOf(event.target);
  const buttons = cards[row + down]?.buttons ?? [];
  const next = buttons[Math.min(at, buttons.length - 1) + right];
  event.preventDefault();
  next?.focus();
}

/** Return the channel of a click: of a vector, the one under the pointer. */
function pointed(event, layer, channel) {
  if (layer.shape.length === 4 || !event.detail) return channel;  // or a key was pressed
  const box = event.currentTarget.getBoundingClientRect();
  const share = Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width));
  return Math.floor(share * layer.shape.at(-1));
}

function fill(made, layer, index, choose) {
  const [name, shape] = [element("span", layer.name, "name"), layer.shape.slice(1).join(" × ")];
  const title = element("h3");
  title.append(element("span", titleOf(layer)), name);
  made.note = element("span", "", "note");
  made.head.replaceChildren(title, element("span", shape, "shape"), made.note);
  made.buttons = Array.from({ length: made.shown }, (_, channel) => {
    const button = element("button", undefined, layer.shape.length === 4 ? "map" : "map vector");
    button.type = "button";
    button.tabIndex = channel ? -1 : 0;  // arrow keys reach the others
    button.append(element("canvas"));
    button.setAttribute("aria-label", t("channel", { layer: layer.name, channel }));
    button.addEventListener("click", (event) => choose(index, pointed(event, layer, channel)));
    return button;
  });
  made.maps.replaceChildren(...made.buttons);
  const channels = layer.shape.at(-1);
  if (layer.shape.length !== 4 || channels <= SHOWN) return;
  const more = element("button", made.shown < channels ? t("all", { channels }) : t("fewer"), "more");
  more.type = "button";
  more.addEventListener("click", () => {
    made.shown = made.shown < channels ? channels : SHOWN;
    fill(made, layer, index, choose);
    made.redraw?.();
  });
  made.maps.append(more);
}

/** Draw the latest maps into the cards. */
export function drawCards(cards, view) {
  cards.forEach((made, index) => {
    made.redraw = () => drawCard(made, view, index);
    made.redraw();
  });
}

function drawCard(made, view, index) {
  const values = numbersOf(view, index);
  made.card.classList.toggle("missing", !values);
  made.note.textContent = noteOf(view, index, values);
  if (!values) return;
  const { shape } = view.primary.layers[index];
  const range = rangeOf(values);
  made.buttons.forEach((button, channel) => {
    const canvas = button.firstChild;
    if (shape.length !== 4) return paint(canvas, values, 1, values.length, range);
    const [, height, width, channels] = shape;
    const one = channelOf(values, channels, channel);
    // A channel is as bright as its own largest number, like in Python's pictures.
    paint(canvas, one, height, width, { ...rangeOf(one), signed: range.signed });
  });
}

function noteOf(view, index, values) {
  if (!values) return t("no.partner");
  if (view.kind !== "difference") return "";
  const [network, layer] = view.layerOf(index);
  const size = rangeOf(network.values(layer.output)).peak;
  const largest = rangeOf(values).peak;
  return t("differs", { percent: size ? (100 * largest / size).toFixed(1) : "0" });
}

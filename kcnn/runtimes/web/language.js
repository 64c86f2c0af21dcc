// The languages of a page: its texts are looked up by key.

let texts = { en: {} };
let language = "en";

/** Return a text of the page's language, with values in place of {names}; undefined without one. */
export function t(key, values = {}) {
  return texts[language][key]?.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Write a text into an element, which changes with the language. */
export function say(element, key, values = {}) {
  element.dataset.text = key;
  element.dataset.values = JSON.stringify(values);
  element.textContent = t(key, values);
}

/** Write the texts of `data-text` and `data-label` in a language. */
export function speak(wanted) {
  language = wanted in texts ? wanted : "en";
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-text]")) {
    each.textContent = t(each.dataset.text, JSON.parse(each.dataset.values ?? "{}"));
  }
  for (const each of document.querySelectorAll("[data-label]")) {
    each.setAttribute("aria-label", t(each.dataset.label));
  }
  for (const each of document.querySelectorAll("[data-language]")) {
    each.setAttribute("aria-pressed", each.dataset.language === language);
  }
}

/**
 * Take the texts, {language: {key: text}}, and begin in the visitor's language. The buttons with
 * `data-language` change it, and `changed` is called.
 */
export function learn(all, changed = () => {}) {
  texts = all;
  for (const each of document.querySelectorAll("[data-language]")) {
    each.addEventListener("click", () => {
      speak(each.dataset.language);
      changed();
    });
  }
  speak(navigator.language.slice(0, 2));
}


// The modules of this page stand above, each after those that it imports.
const addresses = (self.modules = {});  // for a look from the console: import(modules["heat.js"])
let latest;
for (const script of document.querySelectorAll("script[type='text/module']")) {
  let text = script.textContent;
  for (const [name, address] of Object.entries(addresses)) {
    text = text.replaceAll(`"./${name}"`, `"${address}"`);
  }
  latest = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  addresses[script.dataset.name] = latest;
}
await import(latest);

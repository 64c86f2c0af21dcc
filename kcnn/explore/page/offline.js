// LiteRT.js and models that lie in the page itself, compressed: nothing is requested.

/** Return the bytes of a block of the page. */
export async function unpack(id) {
  const text = document.getElementById(id).textContent;
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const NOTE = /^(INFO|WARNING|VERBOSE)/;

const address = (...parts) => URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));

/** Load LiteRT.js, which finds its program in `Module` and its helper under a blob's address. */
export async function loadLiteRt() {
  const [core, helper, loader, program] = await Promise.all(
    ["litert-core", "litert-helper", "litert-loader", "litert-program"].map(unpack),
  );
  const text = new TextDecoder().decode(core);
  const litert = await import(address(text.replace("@litertjs/wasm-utils", address(helper))));
  const printErr = (line) => NOTE.test(line) || console.error(line);
  self.Module = { wasmBinary: program, print: () => {}, printErr };
  // LiteRT.js looks for a GPU, which the page does not use, and complains where there is none.
  const none = { limits: {}, features: new Set(), requestDevice: async () => null };
  const gpu = { requestAdapter: async () => none };
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  await litert.loadLiteRt(`${address(loader)}#.js`);  // it looks at the end of the address
  return litert;
}

// Parts of a page: elements, pictures on a canvas, and how a visitor gives a picture.

export function element(name, text, style) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
}

/** Draw the pixels that a model takes, gray or RGB. */
export function draw(canvas, picture, [height, width, channels]) {
  [canvas.height, canvas.width] = [height, width];
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = picture[i * channels + (c % channels)];
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Pass each picture that a visitor chooses, drops or pastes to `take`. */
export function listen(input, drop, take) {
  const given = (file) => file && take(file);
  input.addEventListener("change", (event) => given(event.target.files[0]));
  addEventListener("paste", (event) => given(event.clipboardData.files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") given(event.dataTransfer.files[0]);
    });
  }
}

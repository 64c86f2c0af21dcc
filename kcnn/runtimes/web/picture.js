// From an image file to the pixels that a model takes.

/** Return which pixels of a side each output pixel averages: bilinear with antialiasing. */
function reaches(outputs, start, scale, side) {
  const reach = Math.max(scale, 1);
  return Array.from({ length: outputs }, (_, output) => {
    const center = start + (output + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - reach + 0.5));
    const end = Math.min(side, Math.floor(center + reach + 0.5));
    const weights = [];
    for (let i = first; i < end; i++) {
      weights.push(Math.max(0, 1 - Math.abs(i + 0.5 - center) / reach));
    }
    return { first, weights };
  });
}

/** Return a picture in its own size, upright, on white. */
async function decoded(source) {
  const whole = await createImageBitmap(source);
  const context = new OffscreenCanvas(whole.width, whole.height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, whole.width, whole.height);
  context.drawImage(whole, 0, 0);
  return context.getImageData(0, 0, whole.width, whole.height);
}

/**
 * Return the center of a picture as the model takes it, scaled as kcnn scales photographs. How a
 * browser scales is its own affair.
 */
export async function pixelsOf(source, [height, width, channels]) {
  const whole = await decoded(source);
  const scale = Math.min(whole.width / width, whole.height / height);
  const columns = reaches(width, (whole.width - scale * width) / 2, scale, whole.width);
  const rows = reaches(height, (whole.height - scale * height) / 2, scale, whole.height);
  const picture = new Uint8Array(height * width * channels);
  rows.forEach((row, y) => columns.forEach((column, x) => {
    let [red, green, blue, sum] = [0, 0, 0, 0];
    for (let i = 0; i < row.weights.length; i++) {
      let place = 4 * ((row.first + i) * whole.width + column.first);
      for (let j = 0; j < column.weights.length; j++, place += 4) {
        const weight = row.weights[i] * column.weights[j];
        red += weight * whole.data[place];
        green += weight * whole.data[place + 1];
        blue += weight * whole.data[place + 2];
        sum += weight;
      }
    }
    const place = y * width + x;
    const gray = 0.299 * red + 0.587 * green + 0.114 * blue;
    const values = channels === 1 ? [gray] : [red, green, blue];
    values.forEach((value, c) => { picture[channels * place + c] = Math.round(value / sum); });
  }));
  return picture;
}

// From an image file to the pixels that a model takes.

/** Return the center of a picture as the model takes it: scaled to its size, on white. */
export async function pixelsOf(source, [height, width, channels]) {
  const whole = await createImageBitmap(source);
  const scale = Math.min(whole.width / width, whole.height / height);
  const [w, h] = [width * scale, height * scale];
  const part = await createImageBitmap(
    whole, (whole.width - w) / 2, (whole.height - h) / 2, w, h,
    { resizeWidth: width, resizeHeight: height, resizeQuality: "high" },
  );
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(part, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const picture = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) picture[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    else picture.set([red, green, blue], 3 * i);
  }
  return picture;
}

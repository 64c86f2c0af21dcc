/* Copies a map into the middle of a larger one that is full of `value`. */
static void pad(const int8_t *input, Map from, int8_t *output, Map to, int top, int left,
                int before, int8_t value) {
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      for (int k = 0; k < to.channels; ++k) {
        const int i = y - top, j = x - left, n = k - before;
        const int inside = i >= 0 && i < from.height && j >= 0 && j < from.width && n >= 0 &&
                           n < from.channels;
        *output++ = inside ? input[(i * from.width + j) * from.channels + n] : value;
      }
    }
  }
}

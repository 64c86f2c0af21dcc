/* A convolution. Each output channel sees `depth` input channels, which are all of them unless the
 * convolution is grouped. */
static void convolve(const int8_t *input, Map from, int8_t *output, Map to, const Window *window,
                     const Weights *weights, const Levels *levels, int depth) {
  const int group = to.channels / (from.channels / depth);
  /* Where the pixels of a row of the kernel lie side by side, they are one long run. */
  const int whole_row = depth == from.channels && window->dilation_x == 1;
  for (int y = 0; y < to.height; ++y) {
    const int top = y * window->stride_y - window->top;
    const int first_row = first_inside(top, window->dilation_y);
    const int end_row = end_inside(top, window->dilation_y, from.height, window->height);
    for (int x = 0; x < to.width; ++x) {
      const int left = x * window->stride_x - window->left;
      const int first = first_inside(left, window->dilation_x);
      const int end = end_inside(left, window->dilation_x, from.width, window->width);
      const int step = whole_row && end > first ? end - first : 1;
      const int run = step * depth;
      for (int k = 0; k < to.channels; ++k) {
        const int8_t *kernel = weights->kernel + k * window->height * window->width * depth;
        const int8_t *channels = input + k / group * depth;
        int32_t sum = weights->bias ? weights->bias[k] : 0;
        for (int i = first_row; i < end_row; ++i) {
          const int8_t *row = channels + (top + i * window->dilation_y) * from.width * from.channels;
          for (int j = first; j < end; j += step) {
            const int8_t *pixels = row + (left + j * window->dilation_x) * from.channels;
            const int8_t *factors = kernel + (i * window->width + j) * depth;
            for (int n = 0; n < run; ++n) sum += factors[n] * (pixels[n] - levels->input_zero);
          }
        }
        *output++ = clamp(scale(sum, weights->significands[k], weights->shifts[k]), levels);
      }
    }
  }
}

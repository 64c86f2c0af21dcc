/* A depthwise convolution: each input channel has `multiple` output channels of its own. */
static void convolve_depthwise(const int8_t *input, Map from, int8_t *output, Map to,
                               const Window *window, const Weights *weights, const Levels *levels,
                               int multiple) {
  for (int y = 0; y < to.height; ++y) {
    const int top = y * window->stride_y - window->top;
    const int first_row = first_inside(top, window->dilation_y);
    const int end_row = end_inside(top, window->dilation_y, from.height, window->height);
    for (int x = 0; x < to.width; ++x) {
      const int left = x * window->stride_x - window->left;
      const int first = first_inside(left, window->dilation_x);
      const int end = end_inside(left, window->dilation_x, from.width, window->width);
      for (int k = 0; k < to.channels; ++k) {
        int32_t sum = weights->bias ? weights->bias[k] : 0;
        for (int i = first_row; i < end_row; ++i) {
          const int row = (top + i * window->dilation_y) * from.width + left;
          for (int j = first; j < end; ++j) {
            const int pixel = (row + j * window->dilation_x) * from.channels + k / multiple;
            const int8_t factor = weights->kernel[(i * window->width + j) * to.channels + k];
            sum += factor * (input[pixel] - levels->input_zero);
          }
        }
        *output++ = clamp(scale(sum, weights->significands[k], weights->shifts[k]), levels);
      }
    }
  }
}

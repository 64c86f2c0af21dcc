/* The mean of each window, without what lies outside of the image. */
static void pool_average(const int8_t *input, Map from, int8_t *output, Map to,
                         const Window *window, const Levels *levels) {
  for (int y = 0; y < to.height; ++y) {
    const int top = y * window->stride_y - window->top;
    const int first_row = first_inside(top, 1);
    const int end_row = end_inside(top, 1, from.height, window->height);
    for (int x = 0; x < to.width; ++x) {
      const int left = x * window->stride_x - window->left;
      const int first = first_inside(left, 1);
      const int end = end_inside(left, 1, from.width, window->width);
      const int32_t count = (end_row - first_row) * (end - first);
      for (int k = 0; k < to.channels; ++k) {
        int32_t sum = 0;
        for (int i = first_row; i < end_row; ++i) {
          for (int j = first; j < end; ++j) {
            sum += input[((top + i) * from.width + left + j) * from.channels + k];
          }
        }
        *output++ = clamp((sum > 0 ? sum + count / 2 : sum - count / 2) / count, levels);
      }
    }
  }
}

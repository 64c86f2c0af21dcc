/* The largest value of each window. */
static void pool_max(const int8_t *input, Map from, int8_t *output, Map to, const Window *window,
                     const Levels *levels) {
  for (int y = 0; y < to.height; ++y) {
    const int top = y * window->stride_y - window->top;
    const int end_row = end_inside(top, 1, from.height, window->height);
    for (int x = 0; x < to.width; ++x) {
      const int left = x * window->stride_x - window->left;
      const int end = end_inside(left, 1, from.width, window->width);
      for (int k = 0; k < to.channels; ++k) {
        int32_t largest = -128;
        for (int i = first_inside(top, 1); i < end_row; ++i) {
          for (int j = first_inside(left, 1); j < end; ++j) {
            const int8_t value = input[((top + i) * from.width + left + j) * from.channels + k];
            if (value > largest) largest = value;
          }
        }
        *output++ = clamp(largest, levels);
      }
    }
  }
}

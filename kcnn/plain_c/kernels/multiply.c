/* A product. `other` has `period` elements, which are used again and again. */
static void multiply(const int8_t *input, const int8_t *other, int8_t *output, int count,
                     int period, int32_t other_zero, int32_t significand, int shift,
                     const Levels *levels) {
  for (int start = 0; start < count; start += period) {
    for (int i = 0; i < period; ++i) {
      const int32_t product = (input[start + i] - levels->input_zero) * (other[i] - other_zero);
      output[start + i] = clamp(scale(product, significand, shift), levels);
    }
  }
}

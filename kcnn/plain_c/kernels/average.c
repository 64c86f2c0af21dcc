/* The mean of each channel of a whole map. The factor holds the division by the count. */
static void average(const int8_t *input, int pixels, int channels, int8_t *output,
                    int32_t significand, int shift, const Levels *levels) {
  for (int k = 0; k < channels; ++k) {
    int32_t sum = -pixels * levels->input_zero;
    for (int i = 0; i < pixels; ++i) sum += input[i * channels + k];
    output[k] = clamp(scale(sum, significand, shift), levels);
  }
}

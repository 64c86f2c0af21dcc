/* The largest value of each channel of a whole map. */
static void largest(const int8_t *input, int pixels, int channels, int8_t *output) {
  for (int k = 0; k < channels; ++k) {
    int8_t most = -128;
    for (int i = 0; i < pixels; ++i) {
      if (input[i * channels + k] > most) most = input[i * channels + k];
    }
    output[k] = most;
  }
}

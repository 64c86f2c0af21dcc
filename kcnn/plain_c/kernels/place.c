/* Copies runs of numbers into every `period`th place: one input of a concatenation. */
static void place(const int8_t *input, int count, int run, int8_t *output, int period) {
  for (int i = 0; i < count; ++i) output[i / run * period + i % run] = input[i];
}

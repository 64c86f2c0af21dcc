static int32_t times(int32_t one, int32_t other) { /* in Q0.31 */
  return (int32_t)(((int64_t)one * other + (1 << 30)) >> 31);
}

/* Softmax of rows. `exponentials` holds exp of 0, -1, -2, ... steps below the largest logit. */
static void soften(const int8_t *input, int rows, int classes, int8_t *output,
                   const int32_t *exponentials) {
  for (; rows > 0; --rows, input += classes, output += classes) {
    int8_t most = input[0];
    uint32_t sum = 0; /* Q12.19 */
    int unused = 0;   /* bits above the highest one of the sum */
    int32_t x = 1515870810; /* 48 / 17 in Q2.29: Newton's first guess of 1 / (1 + rest) */
    for (int k = 1; k < classes; ++k) {
      if (input[k] > most) most = input[k];
    }
    for (int k = 0; k < classes; ++k) sum += ((uint32_t)exponentials[most - input[k]] + 2048) >> 12;
    while (!(sum << unused & 0x80000000u)) ++unused;
    const int32_t rest = (int32_t)((sum << unused) - 0x80000000u);
    const int32_t half = (int32_t)(((int64_t)rest + 0x7fffffff + 1) / 2);
    x += times(half, -1010580540); /* -32 / 17 */
    for (int i = 0; i < 3; ++i) x += times(x, (1 << 29) - times(half, x)) * 4;
    const int32_t reciprocal = x < 0x40000000 ? x * 2 : 0x7fffffff;
    for (int k = 0; k < classes; ++k) {
      const int32_t share = times(reciprocal, exponentials[most - input[k]]);
      const int bits = 12 - unused + 31 - 8;
      const int32_t level = (int32_t)(((int64_t)share + ((int64_t)1 << (bits - 1))) >> bits) - 128;
      output[k] = (int8_t)(level > 127 ? 127 : level);
    }
  }
}

/* How both summands are brought to one scale, and their sum to the output's. */
typedef struct {
  int32_t zero, other_zero, significand, other_significand, sum_significand;
  int8_t shift, other_shift, sum_shift;
} Sum;

/* A sum. `other` has `period` elements, which are added again and again. */
static void add(const int8_t *input, const int8_t *other, int8_t *output, int count, int period,
                const Sum *sum, const Levels *levels) {
  for (int start = 0; start < count; start += period) {
    for (int i = 0; i < period; ++i) {
      const int32_t one = (input[start + i] - sum->zero) * (1 << 20);
      const int32_t two = (other[i] - sum->other_zero) * (1 << 20);
      const int32_t both = scale(one, sum->significand, sum->shift) +
                           scale(two, sum->other_significand, sum->other_shift);
      output[start + i] = clamp(scale(both, sum->sum_significand, sum->sum_shift), levels);
    }
  }
}

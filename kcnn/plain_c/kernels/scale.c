/* Returns value * significand * 2^(shift - 31), rounded twice, as TensorFlow Lite rounds it.
 * `>>` of a negative number must keep its sign, as all compilers for these chips do. */
static int32_t scale(int32_t value, int32_t significand, int shift) {
  const int left = shift > 0 ? shift : 0, right = left - shift;
  const int64_t product = (int64_t)(int32_t)((uint32_t)value << left) * significand;
  const int32_t high = (int32_t)((product + (1 << 30)) >> 31); /* halves up */
  const int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
  const int32_t half = (mask >> 1) + (high < 0); /* halves away from zero */
  return (high >> right) + ((high & mask) > half);
}

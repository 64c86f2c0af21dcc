/* Returns value * significand / 2^shift, rounded once, halves away from zero: LiteRT's reference
 * kernel of dense layers computes it with doubles. The shift is at least 33. */
static int32_t scale_exactly(int32_t value, uint64_t significand, int shift) {
  const uint32_t size = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  const uint64_t low = (uint64_t)size * (uint32_t)significand;
  const uint64_t high = (uint64_t)size * (significand >> 32) + (low >> 32);
  uint64_t rounded = (high + ((uint64_t)1 << (shift - 33))) >> (shift - 32);
  if (rounded > 0x10000) rounded = 0x10000; /* far beyond all outputs */
  return value < 0 ? -(int32_t)rounded : (int32_t)rounded;
}

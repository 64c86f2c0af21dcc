static int8_t clamp(int32_t value, const Levels *levels) {
  value += levels->output_zero;
  if (value < levels->low) value = levels->low;
  if (value > levels->high) value = levels->high;
  return (int8_t)value;
}

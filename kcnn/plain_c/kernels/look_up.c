/* A function of each number alone, as a table of what it returns for each byte. */
static void look_up(const int8_t *input, int8_t *output, int count, const int8_t *table) {
  for (int i = 0; i < count; ++i) output[i] = table[(uint8_t)input[i]];
}

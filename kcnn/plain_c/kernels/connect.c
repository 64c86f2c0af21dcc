/* A dense layer. `zero` is the zero point of its weights. */
static void connect(const int8_t *input, int inputs, int8_t *output, int outputs,
                    const int8_t *kernel, const int32_t *bias, const uint64_t *significands,
                    const uint8_t *shifts, const Levels *levels, int32_t zero) {
  for (int k = 0; k < outputs; ++k, kernel += inputs) {
    int32_t sum = bias ? bias[k] : 0;
    for (int n = 0; n < inputs; ++n) sum += (kernel[n] - zero) * (input[n] - levels->input_zero);
    output[k] = clamp(scale_exactly(sum, significands[k], shifts[k]), levels);
  }
}

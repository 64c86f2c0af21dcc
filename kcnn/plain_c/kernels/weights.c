/* A kernel, output channel by output channel, with the factors from sums to outputs. */
typedef struct {
  const int8_t *kernel;
  const int32_t *bias; /* or NULL */
  const int32_t *significands;
  const int8_t *shifts;
} Weights;

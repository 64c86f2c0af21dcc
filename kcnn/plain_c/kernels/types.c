/* The size of a feature map, stored row by row, the channels of a pixel together. */
typedef struct {
  int height, width, channels;
} Map;

/* What a kernel sees of a map: its size, strides, dilations, and the padding above and on the left. */
typedef struct {
  int height, width, stride_y, stride_x, dilation_y, dilation_x, top, left;
} Window;

/* Zero points, and the smallest and the largest output. */
typedef struct {
  int32_t input_zero, output_zero, low, high;
} Levels;

// Computes all images of a file: native IMAGES OUTPUTS SECONDS. It writes the stored outputs, and the
// seconds of each image as doubles.
#include <stdio.h>
#include <time.h>

#include "model.h"

static double now(void) {
  struct timespec time;
  timespec_get(&time, TIME_UTC);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(int count, char **names) {
  static int8_t image[MODEL_INPUTS], result[MODEL_OUTPUTS];
  if (count != 4) return 2;
  FILE *images = fopen(names[1], "rb");
  FILE *outputs = fopen(names[2], "wb");
  FILE *times = fopen(names[3], "wb");
  if (!images || !outputs || !times) return 2;
  while (fread(image, 1, sizeof image, images) == sizeof image) {
    const double started = now();
    model_run((void *)image, (void *)result);
    const double seconds = now() - started;
    if (fwrite(result, 1, sizeof result, outputs) != sizeof result) return 1;
    if (fwrite(&seconds, sizeof seconds, 1, times) != 1) return 1;
  }
  return fclose(images) || fclose(outputs) || fclose(times);
}

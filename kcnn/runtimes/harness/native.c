// Computes all images of a file: native IMAGES OUTPUTS FACTS. It writes the stored outputs, and as
// doubles the largest memory of the program in bytes (0 if it is not known), the seconds of the first
// image and those of each later one. Few images are computed again, so that percentiles are of many.
#include <stdio.h>
#include <time.h>

#include "model.h"

#define TIMED 100    // images
#define LONGEST 1.0  // seconds, for images that are computed again

static int8_t image[MODEL_INPUTS], result[MODEL_OUTPUTS];

static double now(void) {
  struct timespec time;
  timespec_get(&time, TIME_UTC);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double peak_memory(void) {  // of Linux
  char line[256];
  long kilobytes = 0;
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) return 0;
  while (!kilobytes && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kilobytes);
  fclose(status);
  return 1024.0 * (double)kilobytes;
}

// Returns 0 where there is no further image.
static int compute(FILE *images, FILE *times) {
  if (fread(image, 1, sizeof image, images) != sizeof image) return 0;
  const double started = now();
  model_run((void *)image, (void *)result);
  const double seconds = now() - started;
  return fwrite(&seconds, sizeof seconds, 1, times) == 1;
}

int main(int count, char **names) {
  if (count != 4) return 2;
  FILE *images = fopen(names[1], "rb");
  FILE *outputs = fopen(names[2], "wb");
  FILE *facts = fopen(names[3], "w+b");
  if (!images || !outputs || !facts) return 2;
  double peak = 0;
  fwrite(&peak, sizeof peak, 1, facts);
  if (!compute(images, facts)) return 1;  // the first image, which is computed again below
  peak = peak_memory();
  rewind(images);
  int computed = 0;
  for (; compute(images, facts); ++computed) {
    if (fwrite(result, 1, sizeof result, outputs) != sizeof result) return 1;
  }
  const double end = now() + LONGEST;
  while (computed < TIMED && now() < end) {
    if (compute(images, facts)) {
      ++computed;
    } else {
      rewind(images);
    }
  }
  rewind(facts);
  fwrite(&peak, sizeof peak, 1, facts);
  return fclose(images) || fclose(outputs) || fclose(facts);
}

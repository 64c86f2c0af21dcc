// From a picture of any size to the model's pixels, as kcnn reads photographs: the center with the
// proportions of the model's images, scaled by a triangle filter that averages all pixels (bilinear
// with antialiasing). Plain bilinear scaling skips most pixels of a large picture and costs accuracy.
// Plain C; classifier_litert.cc includes it.
#ifndef PICTURE_H_
#define PICTURE_H_

#include <stddef.h>
#include <stdint.h>

#include "classifier.h"

// Where the pixel of an upright picture is stored. `width` and `height` are those of the stored picture.
static inline size_t StoredPlace(int y, int x, int width, int height, int orientation) {
  const int turned = orientation > 4;  // the stored rows are the columns of the upright picture
  int row = turned ? x : y, column = turned ? y : x;
  if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
    row = height - 1 - row;
  }
  if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
    column = width - 1 - column;
  }
  return (size_t)row * (size_t)width + (size_t)column;
}

// Which pixels of a side one output pixel averages: those before `end` from `first` on, with a weight
// that falls from the center to zero at a distance of `reach`.
typedef struct {
  float center, reach;
  int first, end;
} PixelReach;

static inline PixelReach ReachOf(int output, float start, float scale, int side) {
  PixelReach found;
  found.center = start + ((float)output + 0.5f) * scale;
  found.reach = scale > 1.0f ? scale : 1.0f;
  found.first = (int)(found.center - found.reach + 0.5f);
  found.end = (int)(found.center + found.reach + 0.5f);
  if (found.first < 0) found.first = 0;
  if (found.end > side) found.end = side;
  return found;
}

static inline float WeightOf(const PixelReach* reach, int pixel) {
  const float away = ((float)pixel + 0.5f - reach->center) / reach->reach;
  const float weight = 1.0f - (away < 0.0f ? -away : away);
  return weight > 0.0f ? weight : 0.0f;
}

// Computes the pixels that StorePixels takes.
//
// `rgb` holds a picture of at least one pixel, row by row, red, green, blue. `orientation` is that of
// the picture's EXIF data, 1 to 8, for a decoder that does not rotate; 1 for an upright picture.
static inline void ShrinkPicture(const uint8_t* rgb, int width, int height, int orientation,
                                 uint8_t* pixels) {
  const int rows = orientation > 4 ? width : height, columns = orientation > 4 ? height : width;
  const float down = (float)rows / kHeight, across = (float)columns / kWidth;
  const float scale = down < across ? down : across;
  const float top = ((float)rows - scale * kHeight) / 2, left = ((float)columns - scale * kWidth) / 2;
  for (int y = 0; y < kHeight; ++y) {
    const PixelReach vertical = ReachOf(y, top, scale, rows);
    for (int x = 0; x < kWidth; ++x) {
      const PixelReach horizontal = ReachOf(x, left, scale, columns);
      float sums[3] = {0.0f, 0.0f, 0.0f}, weights = 0.0f;
      for (int i = vertical.first; i < vertical.end; ++i) {
        const float weight = WeightOf(&vertical, i);
        for (int j = horizontal.first; j < horizontal.end; ++j) {
          const uint8_t* pixel = rgb + 3 * StoredPlace(i, j, width, height, orientation);
          const float both = weight * WeightOf(&horizontal, j);
          for (int c = 0; c < 3; ++c) sums[c] += both * (float)pixel[c];
          weights += both;
        }
      }
      for (int c = 0; c < 3; ++c) *pixels++ = (uint8_t)(sums[c] / weights + 0.5f);
    }
  }
}

#endif  // PICTURE_H_

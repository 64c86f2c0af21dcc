// Everything an app must know about this model: how to store pixels, and what its outputs mean.
// Plain C; classifier_litert.cc and classifier_micro.cc include it.
#ifndef CLASSIFIER_H_
#define CLASSIFIER_H_

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum {
  kHeight = 32,
  kWidth = 32,
  kChannels = 3,
  kImageBytes = kHeight * kWidth * kChannels,
  kOutputs = 8,
  kClasses = 8,
};

static const float kOutputScale = 0.1417110711336136f;
static const int kOutputZeroPoint = -39;

static const char* const kLabels[kClasses] = {
    "airplane",
    "automobile",
    "bird",
    "deer",
    "frog",
    "horse",
    "ship",
    "truck",
};

// Stores raw pixels 0-255, row by row, red, green, blue, as the model takes them: `pixel - 128`.
static inline void StorePixels(const uint8_t* pixels, int8_t* input) {
  for (size_t i = 0; i < kImageBytes; ++i) input[i] = (int8_t)(pixels[i] - 128);
}

// Returns the real number that a stored output stands for: a logit.
static inline float RealValue(int8_t stored) {
  return kOutputScale * (float)(stored - kOutputZeroPoint);
}

// Returns the predicted class: the index of the largest output, the first of equal ones.
static inline int PredictedClass(const int8_t* output) {
  int best = 0;
  for (int i = 1; i < kClasses; ++i) {
    if (output[i] > output[best]) best = i;
  }
  return best;
}

// Computes the probability of each class; they add up to one.
static inline void Probabilities(const int8_t* output, float* probabilities) {
  const int8_t largest = output[PredictedClass(output)];
  float sum = 0.0f;
  for (int i = 0; i < kClasses; ++i) {
    probabilities[i] = expf(kOutputScale * (float)(output[i] - largest));
    sum += probabilities[i];
  }
  for (int i = 0; i < kClasses; ++i) probabilities[i] /= sum;
}

#endif  // CLASSIFIER_H_

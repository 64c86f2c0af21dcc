// The declarations of TensorFlow Lite Micro that the bundle's C++ code uses, so
// that a compiler can check it without them.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
union TfLitePtrUnion {
  uint8_t* uint8;
  int8_t* int8;
};
struct TfLiteTensor {
  TfLitePtrUnion data;
};

namespace tflite {
struct Model;
const Model* GetModel(const void* buffer);
struct MicroOpResolver {};
template <unsigned int tOpCount>
struct MicroMutableOpResolver : MicroOpResolver {
  TfLiteStatus AddAdd();
  TfLiteStatus AddAveragePool2D();
  TfLiteStatus AddConv2D();
  TfLiteStatus AddDepthwiseConv2D();
  TfLiteStatus AddFullyConnected();
  TfLiteStatus AddMaxPool2D();
  TfLiteStatus AddMean();
  TfLiteStatus AddPad();
  TfLiteStatus AddPadV2();
  TfLiteStatus AddReshape();
};
struct MicroInterpreter {
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena,
                   size_t arena_size);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);
};
}  // namespace tflite

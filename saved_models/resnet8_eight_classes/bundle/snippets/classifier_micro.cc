// Classifies one image with TensorFlow Lite Micro, on a microcontroller without operating system.
#include "classifier.h"
#include "model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {
// Memory for the activations. Measured with TensorFlow Lite Micro on a PC, plus a quarter.
constexpr size_t kArenaBytes = 69600;
alignas(16) uint8_t g_arena[kArenaBytes];

tflite::MicroInterpreter* Interpreter() {
  // Only the operators of this model, because each one costs flash.
  static tflite::MicroMutableOpResolver<4> resolver;
  static tflite::MicroInterpreter* interpreter = [] {
    resolver.AddConv2D();
    resolver.AddAdd();
    resolver.AddMean();
    resolver.AddFullyConnected();
    static tflite::MicroInterpreter made(tflite::GetModel(g_model_data), resolver, g_arena,
                                         kArenaBytes);
    return made.AllocateTensors() == kTfLiteOk ? &made : nullptr;
  }();
  return interpreter;
}
}  // namespace

// Returns the predicted class of an image of raw pixels, or -1 if the model cannot be run. Writes the
// probability of each class.
extern "C" int Classify(const uint8_t* pixels, float* probabilities) {
  tflite::MicroInterpreter* interpreter = Interpreter();
  if (interpreter == nullptr) return -1;
  StorePixels(pixels, interpreter->input(0)->data.int8);
  if (interpreter->Invoke() != kTfLiteOk) return -1;
  const int8_t* output = interpreter->output(0)->data.int8;
  Probabilities(output, probabilities);
  return PredictedClass(output);
}

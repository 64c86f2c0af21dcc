// Classifies one image with LiteRT's CompiledModel in C++, on a phone, a PC or a Linux board. Build it
// with projects/litert/CMakeLists.txt.
//
//   classifier_litert model_int8.tflite image.rgb
//   classifier_litert model_int8.tflite picture.rgb WIDTH HEIGHT [ORIENTATION]
//
// image.rgb holds 32 x 32 x 3 raw bytes, as golden/images.bin holds several in a row. picture.rgb
// holds a decoded picture of any size, three bytes for each pixel; ORIENTATION is from its EXIF data.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "classifier.h"
#include "litert/cc/litert_common.h"
#include "litert/cc/litert_compiled_model.h"
#include "litert/cc/litert_environment.h"
#include "picture.h"

// Reads the first bytes of a file; fewer if it is shorter.
static std::vector<uint8_t> Read(const char* name, size_t count) {
  std::vector<uint8_t> bytes(count);
  std::ifstream file(name, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5 && argc != 6) {
    return std::fprintf(stderr, "usage: %s MODEL IMAGE [WIDTH HEIGHT [ORIENTATION]]\n", argv[0]), 2;
  }
  const int width = argc > 3 ? std::atoi(argv[3]) : 0, height = argc > 3 ? std::atoi(argv[4]) : 0;
  if (argc > 3 && (width < 1 || height < 1)) return std::fprintf(stderr, "no size\n"), 2;
  const size_t needed = argc > 3 ? 3 * static_cast<size_t>(width) * height : kImageBytes;
  std::vector<uint8_t> pixels = Read(argv[2], needed);
  if (pixels.size() < needed) {
    return std::fprintf(stderr, "%s: fewer than %zu bytes\n", argv[2], needed), 1;
  }
  if (argc > 3) {
    std::vector<uint8_t> shrunk(kImageBytes);
    ShrinkPicture(pixels.data(), width, height, argc > 5 ? std::atoi(argv[5]) : 1, shrunk.data());
    pixels = shrunk;
  }

  auto environment = litert::Environment::Create({});
  if (!environment) return std::fprintf(stderr, "LiteRT cannot start\n"), 1;
  auto model = litert::CompiledModel::Create(*environment, std::string(argv[1]),
                                             litert::HwAccelerators::kCpu);
  if (!model) return std::fprintf(stderr, "%s: LiteRT cannot run it\n", argv[1]), 1;
  auto inputs = model->CreateInputBuffers();
  auto outputs = model->CreateOutputBuffers();
  if (!inputs || !outputs) return 1;

  std::vector<int8_t> stored(kImageBytes);
  StorePixels(pixels.data(), stored.data());
  int8_t output[kOutputs];
  if (!(*inputs)[0].Write<int8_t>(absl::MakeConstSpan(stored)) ||
      !model->Run(*inputs, *outputs) ||
      !(*outputs)[0].Read<int8_t>(absl::MakeSpan(output, kOutputs))) {
    return 1;
  }
  float probabilities[kClasses];
  Probabilities(output, probabilities);
  const int predicted = PredictedClass(output);
  std::printf("%s %.1f %%\n", kLabels[predicted], 100 * probabilities[predicted]);
  return 0;
}

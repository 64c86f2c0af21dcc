#pragma once
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "litert/cc/litert_common.h"
#include "litert/cc/litert_environment.h"
namespace litert {
struct TensorBuffer {
  template <typename T>
  Expected<void> Write(absl::Span<const T>);
  template <typename T>
  Expected<void> Read(absl::Span<T>);
};
struct CompiledModel {
  static Expected<CompiledModel> Create(Environment&, const std::string&, HwAccelerators);
  Expected<std::vector<TensorBuffer>> CreateInputBuffers();
  Expected<std::vector<TensorBuffer>> CreateOutputBuffers();
  Expected<void> Run(const std::vector<TensorBuffer>&, const std::vector<TensorBuffer>&);
};
}  // namespace litert

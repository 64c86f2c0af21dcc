#pragma once
#include <cstddef>
#include <vector>
namespace absl {
template <typename T>
struct Span {};
template <typename T>
Span<const T> MakeConstSpan(const std::vector<T>&);
template <typename T>
Span<T> MakeSpan(T*, std::size_t);
}  // namespace absl

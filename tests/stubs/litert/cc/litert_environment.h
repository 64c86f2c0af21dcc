#pragma once
#include <vector>
namespace litert {
template <typename T>
struct Expected {
  explicit operator bool() const;
  T& operator*();
  T* operator->();
};
template <>
struct Expected<void> {
  explicit operator bool() const;
};
struct EnvironmentOptions {
  EnvironmentOptions(std::vector<int> = {});
};
struct Environment {
  static Expected<Environment> Create(const EnvironmentOptions&);
};
}  // namespace litert

#pragma once
namespace litert {
enum class HwAccelerators { kCpu };
}

// Element types of arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kwta {

enum class DType { kF32, kU8, kF16, kBF16, kI32, kI64 };

// Returns the bytes of an element.
size_t DTypeSize(DType dtype);
// Returns "f32", "u8", "f16", "bf16", "i32" or "i64".
const char* DTypeName(DType dtype);

// Exact conversions to binary32.
inline float BF16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}
float F16ToFloat(uint16_t bits);

}  // namespace kwta

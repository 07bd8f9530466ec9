#include "core/preprocessing/preprocessor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace kwta::preprocessor_test {
namespace {

using testing::ElementsAre;

v1::PreprocessingSpec WithDivisor(float divisor) {
  v1::PreprocessingSpec spec;
  spec.set_u8_divisor(divisor);
  return spec;
}

TEST(Preprocessor, DividesBytesWithCorrectRounding) {
  std::vector<uint8_t> bytes(256);
  for (int b = 0; b < 256; ++b) bytes[b] = static_cast<uint8_t>(b);
  for (const float divisor : {255.0f, 256.0f, 7.0f, 0.3f}) {
    std::vector<float> out(256);
    Preprocessor(WithDivisor(divisor), {}).ToFloat({DType::kU8, bytes.data(), 2, 128}, out.data());
    for (int b = 0; b < 256; ++b) {
      const long double exact = static_cast<long double>(b) / divisor;
      const float below = std::nextafter(out[b], -1.0f), above = std::nextafter(out[b], 1e9f);
      EXPECT_LE(std::fabs(exact - out[b]), std::fabs(exact - below)) << b << " / " << divisor;
      EXPECT_LE(std::fabs(exact - out[b]), std::fabs(exact - above)) << b << " / " << divisor;
    }
  }
}

TEST(Preprocessor, DividesAnyNumberOfBytes) {
  for (int64_t count = 0; count < 40; ++count) {
    std::vector<uint8_t> bytes(count);
    for (int64_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(255 - 6 * i);
    std::vector<float> out(count + 1, -1);
    Preprocessor(WithDivisor(255), {}).ToFloat({DType::kU8, bytes.data(), 1, count}, out.data());
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(out[i], static_cast<float>(bytes[i]) / 255.0f) << i << " of " << count;
    EXPECT_EQ(out[count], -1);
  }
}

TEST(Preprocessor, TakesFloatsAsTheyAre) {
  const Preprocessor preprocessor(WithDivisor(255), {});
  std::vector<float> out(3);
  const std::vector<float> floats = {-1.5f, 300.0f, 1e-30f};
  preprocessor.ToFloat({DType::kF32, floats.data(), 1, 3}, out.data());
  EXPECT_EQ(out, floats);
  const uint16_t halves[] = {0x3C00, 0xC000, 0x0001};  // 1, -2, the smallest subnormal
  preprocessor.ToFloat({DType::kF16, halves, 3, 1}, out.data());
  EXPECT_THAT(out, ElementsAre(1.0f, -2.0f, 0x1p-24f));
  const uint16_t brains[] = {0x3F80, 0xC000, 0x4049};  // 1, -2, 3.140625
  preprocessor.ToFloat({DType::kBF16, brains, 1, 3}, out.data());
  EXPECT_THAT(out, ElementsAre(1.0f, -2.0f, 3.140625f));
}

}  // namespace
}  // namespace kwta::preprocessor_test

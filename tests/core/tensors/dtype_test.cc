#include "core/tensors/dtype.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace kwta {
namespace {

TEST(DType, SizesAndNames) {
  EXPECT_EQ(DTypeSize(DType::kU8), 1u);
  EXPECT_EQ(DTypeSize(DType::kF16), 2u);
  EXPECT_EQ(DTypeSize(DType::kBF16), 2u);
  EXPECT_EQ(DTypeSize(DType::kF32), 4u);
  EXPECT_EQ(DTypeSize(DType::kI32), 4u);
  EXPECT_EQ(DTypeSize(DType::kI64), 8u);
  EXPECT_STREQ(DTypeName(DType::kBF16), "bf16");
  EXPECT_STREQ(DTypeName(DType::kF16), "f16");
  EXPECT_STREQ(DTypeName(DType::kI64), "i64");
}

TEST(DType, BF16IsTheUpperHalfOfBinary32) {
  EXPECT_EQ(BF16ToFloat(0x3F80), 1.0f);
  EXPECT_EQ(BF16ToFloat(0xC040), -3.0f);
  EXPECT_EQ(BF16ToFloat(0x0001), 0x1p-133f);
  EXPECT_EQ(BF16ToFloat(0x7F80), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(BF16ToFloat(0x7FC0)));
}

TEST(DType, F16OfEveryKindIsExact) {
  EXPECT_EQ(F16ToFloat(0x3C00), 1.0f);
  EXPECT_EQ(F16ToFloat(0xC200), -3.0f);
  EXPECT_EQ(F16ToFloat(0x7BFF), 65504.0f);
  EXPECT_EQ(F16ToFloat(0x0400), 0x1p-14f);  // smallest normal
  EXPECT_EQ(F16ToFloat(0x0001), 0x1p-24f);  // smallest subnormal
  EXPECT_EQ(F16ToFloat(0x83FF), -1023 * 0x1p-24f);
  EXPECT_TRUE(std::signbit(F16ToFloat(0x8000)));
  EXPECT_EQ(F16ToFloat(0x8000), 0.0f);
  EXPECT_EQ(F16ToFloat(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(F16ToFloat(0x7C01)));
}

TEST(DType, F16NumbersAscendWithTheirBits) {
  for (uint16_t bits = 1; bits <= 0x7C00; ++bits) ASSERT_GT(F16ToFloat(bits), F16ToFloat(bits - 1)) << bits;
}

}  // namespace
}  // namespace kwta

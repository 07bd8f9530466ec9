#include "core/tensors/tensor.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace kwta {
namespace {

TEST(Shape, CountsAndPrints) {
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({2, 3, 4}), 24);
  EXPECT_EQ(ElementCount({2, 0, 4}), 0);
  EXPECT_EQ(ShapeString({2, 3}), "[2, 3]");
  EXPECT_EQ(ShapeString({}), "[]");
}

TEST(Tensor, IsZeroedAlignedAndOfItsSize) {
  Tensor tensor(DType::kF32, {3, 7});
  EXPECT_EQ(tensor.elements(), 21);
  EXPECT_EQ(tensor.bytes(), 84u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
  for (int64_t i = 0; i < 21; ++i) EXPECT_EQ(tensor.as<float>()[i], 0.0f);
}

TEST(Tensor, CloneIsACopyOfItsOwn) {
  Tensor tensor(DType::kU8, {5});
  tensor.as<uint8_t>()[3] = 9;
  const Tensor copy = tensor.Clone();
  tensor.as<uint8_t>()[3] = 1;
  EXPECT_EQ(copy.as<uint8_t>()[3], 9);
  EXPECT_EQ(copy.shape(), (Shape{5}));
  EXPECT_EQ(copy.dtype(), DType::kU8);
}

TEST(Tensor, MovingLeavesTheMemoryWhereItIs) {
  Tensor tensor(DType::kI32, {4});
  const void* memory = tensor.data();
  const Tensor moved = std::move(tensor);
  EXPECT_EQ(moved.data(), memory);
  EXPECT_EQ(moved.elements(), 4);
}

TEST(Tensor, NoElementsAreFine) {
  const Tensor tensor(DType::kF32, {0, 7});
  EXPECT_EQ(tensor.bytes(), 0u);
  EXPECT_EQ(tensor.Clone().shape(), (Shape{0, 7}));
  EXPECT_EQ(tensor.rows().rows, 0);
  EXPECT_EQ(Tensor().elements(), 0);
}

TEST(RowsView, FlattensAllButTheFirstDimensionAndSlices) {
  Tensor tensor(DType::kI64, {4, 2, 3});
  for (int64_t i = 0; i < 24; ++i) tensor.as<int64_t>()[i] = i;
  const RowsView rows = tensor.rows();
  EXPECT_EQ(rows.rows, 4);
  EXPECT_EQ(rows.width, 6);
  EXPECT_EQ(rows.row_bytes(), 48u);
  const RowsView slice = rows.Slice(2, 2);
  EXPECT_EQ(slice.rows, 2);
  EXPECT_EQ(static_cast<const int64_t*>(slice.row(1))[5], 23);
}

TEST(FindNonFinite, GivesTheFirstPositionOfEachFloatType) {
  Tensor floats(DType::kF32, {3, 50});
  floats.as<float>()[0] = std::numeric_limits<float>::max();
  floats.as<float>()[1] = -std::numeric_limits<float>::denorm_min();
  EXPECT_FALSE(FindNonFinite(floats.rows()).has_value());
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), NAN, -NAN}) {
    Tensor with_bad = floats.Clone();
    with_bad.as<float>()[50 + 49] = bad;
    with_bad.as<float>()[100] = bad;
    const auto position = FindNonFinite(with_bad.rows());
    ASSERT_TRUE(position.has_value()) << bad;
    EXPECT_EQ(position->row, 1);
    EXPECT_EQ(position->column, 49);
  }
  struct Half {
    DType dtype;
    uint16_t largest, infinity, nan;
  };
  for (const Half& half : {Half{DType::kF16, 0x7BFF, 0x7C00, 0xFE00}, Half{DType::kBF16, 0x7F7F, 0xFF80, 0x7FC0}}) {
    Tensor halves(half.dtype, {2, 3});
    halves.as<uint16_t>()[2] = half.largest;
    EXPECT_FALSE(FindNonFinite(halves.rows()).has_value());
    for (uint16_t bad : {half.infinity, half.nan}) {
      halves.as<uint16_t>()[4] = bad;
      const auto position = FindNonFinite(halves.rows());
      ASSERT_TRUE(position.has_value());
      EXPECT_EQ(position->row, 1);
      EXPECT_EQ(position->column, 1);
    }
  }
}

TEST(FindNonFinite, IntegersAndNoRowsHaveNone) {
  Tensor bytes(DType::kU8, {1, 4});
  std::fill_n(bytes.as<uint8_t>(), 4, 255);
  EXPECT_FALSE(FindNonFinite(bytes.rows()).has_value());
  EXPECT_FALSE(FindNonFinite(RowsView()).has_value());
}

}  // namespace
}  // namespace kwta

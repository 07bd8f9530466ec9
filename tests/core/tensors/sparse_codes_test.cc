#include "core/tensors/sparse_codes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta {
namespace {

using testing::ElementsAre;

// Rows {1: 10, 4: 40}, {}, {0: 5}, {2: 20, 3: 30}.
SparseCodes Example() { return {5, {0, 2, 2, 3, 5}, {1, 4, 0, 2, 3}, {10, 40, 5, 20, 30}}; }

TEST(SparseCodes, StartsEmpty) {
  const SparseCodes codes;
  EXPECT_EQ(codes.rows(), 0);
  EXPECT_EQ(codes.entries(), 0);
  EXPECT_EQ(codes.RectangularWidth(), 0);
}

TEST(SparseCodes, KnowsWhetherItsRowsAreEquallyLong) {
  EXPECT_EQ(Example().RectangularWidth(), -1);
  const SparseCodes equal{5, {0, 2, 4}, {0, 1, 2, 3}, {1, 1, 1, 1}};
  EXPECT_EQ(equal.RectangularWidth(), 2);
}

TEST(SparseCodes, AppendsRowsOfAnother) {
  SparseCodes codes{5, {0, 1}, {3}, {7}};
  codes.AppendRows(Example(), 1, 2);
  codes.AppendRows(Example(), 3, 1);
  codes.AppendRows(Example(), 0, 0);
  EXPECT_THAT(codes.row_offsets, ElementsAre(0, 1, 1, 2, 4));
  EXPECT_THAT(codes.indices, ElementsAre(3, 0, 2, 3));
  EXPECT_THAT(codes.values, ElementsAre(7, 5, 20, 30));
}

TEST(SparseCodes, BecomesDenseZerosIncluded) {
  std::vector<float> dense(20, -1.0f);
  Example().ToDense(dense.data());
  EXPECT_THAT(dense, ElementsAre(0, 10, 0, 0, 40, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 20, 30, 0));
}

}  // namespace
}  // namespace kwta

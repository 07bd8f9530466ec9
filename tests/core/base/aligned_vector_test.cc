#include "core/base/aligned_vector.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace kwta {
namespace {

TEST(AlignedVectorTest, BeginsAtACacheLineAndKeepsItsElements) {
  AlignedVector<int8_t> vector;
  for (int i = 0; i < 1000; ++i) {
    vector.push_back(static_cast<int8_t>(i % 100));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(vector.data()) % 64, 0u);
  }
  const AlignedVector<int8_t> copy = vector;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copy.data()) % 64, 0u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(copy[i], i % 100);
}

}  // namespace
}  // namespace kwta

#include "core/research/sparse_coding/coherence.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/core/research/sparse_coding/dictionaries.h"

namespace kwta::coherence_test {
namespace {

TEST(MutualCoherence, OfTwoBasesIsTheirLargestInnerProduct) {
  const DictionaryValues dictionary = SpikesAndWaves(64);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    EXPECT_NEAR(MutualCoherence(dictionary.atoms(), pool), 0.125, 1e-6);
  }
}

TEST(MutualCoherence, LooksAtAnglesNotAtLengthsAndAtSizeNotSign) {
  const std::vector<float> values = {3, 0, 0, 0, 0.5f, 0, 0, 0, 0, -30, -40, 0};
  ThreadPool pool(1);
  EXPECT_NEAR(MutualCoherence({values.data(), 4, 3}, pool), 0.8, 1e-12);  // (0, .5, 0) and (-30, -40, 0); one is zero
}

TEST(MutualCoherence, OfEqualAtomsIsOneAndOfOneAtomZero) {
  const std::vector<float> values = {0.1f, 0.3f, 0.1f, 0.3f};
  ThreadPool pool(2);
  EXPECT_NEAR(MutualCoherence({values.data(), 2, 2}, pool), 1, 1e-12);
  EXPECT_LE(MutualCoherence({values.data(), 2, 2}, pool), 1);
  EXPECT_EQ(MutualCoherence({values.data(), 1, 2}, pool), 0);
}

TEST(UniqueSparsityBound, IsThatOfDonohoAndElad) {
  EXPECT_DOUBLE_EQ(UniqueSparsityBound(1), 1);
  EXPECT_DOUBLE_EQ(UniqueSparsityBound(0.125), 4.5);
  EXPECT_TRUE(std::isinf(UniqueSparsityBound(0)));
}

}  // namespace
}  // namespace kwta::coherence_test

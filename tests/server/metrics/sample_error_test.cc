#include "server/metrics/sample_error.h"

#include <gtest/gtest.h>

#include <vector>

namespace kwta::server {
namespace {

// Adds rows (value, 0) and (-value, 0), reconstructed as `factor` times themselves.
void AddRows(SampleError* sample, int64_t rows, float value, float factor) {
  for (int64_t i = 0; i < rows; ++i) {
    const std::vector<float> x = {i % 2 == 0 ? value : -value, 0};
    const std::vector<float> xhat = {factor * x[0], factor * x[1]};
    sample->Add(x.data(), xhat.data(), 2);
  }
}

TEST(SampleErrorTest, IsTheFractionOfVarianceUnexplained) {
  SampleError sample(1000);
  AddRows(&sample, 15, 3, 0.5f);
  EXPECT_EQ(sample.fraction_variance_unexplained(), 0) << "too few rows";
  AddRows(&sample, 85, 3, 0.5f);
  // The errors are a quarter of the squares, and the mean is 0 but for an odd row.
  EXPECT_NEAR(sample.fraction_variance_unexplained(), 0.25, 0.01);
}

TEST(SampleErrorTest, VarianceIsAboutTheMeanOfTheSample) {
  SampleError sample(1000);
  for (int i = 0; i < 100; ++i) {
    const float x = 100 + static_cast<float>(i % 2), mean = 100.5f;
    sample.Add(&x, &mean, 1);
  }
  EXPECT_NEAR(sample.fraction_variance_unexplained(), 1, 1e-6) << "predicting the mean explains nothing";
}

TEST(SampleErrorTest, FollowsTheRowsOfLate) {
  SampleError sample(64);
  AddRows(&sample, 640, 1, 1);
  EXPECT_NEAR(sample.fraction_variance_unexplained(), 0, 1e-9);
  AddRows(&sample, 127, 1, 0);
  EXPECT_GT(sample.fraction_variance_unexplained(), 0.95) << "at most the part before the last complete one is left";
  AddRows(&sample, 1, 1, 0);
  EXPECT_NEAR(sample.fraction_variance_unexplained(), 1, 0.01);
}

TEST(SampleErrorTest, RowsThatAreAllTheSameSayNothing) {
  SampleError sample(64);
  for (int i = 0; i < 100; ++i) {
    const float x = 2, xhat = 1;
    sample.Add(&x, &xhat, 1);
  }
  EXPECT_EQ(sample.fraction_variance_unexplained(), 0);
}

TEST(SampleErrorTest, AnotherWidthStartsAnew) {
  SampleError sample(64);
  AddRows(&sample, 60, 1, 0);
  const float x[] = {1, 2, 3};
  sample.Add(x, x, 3);
  EXPECT_EQ(sample.fraction_variance_unexplained(), 0);
}

}  // namespace
}  // namespace kwta::server

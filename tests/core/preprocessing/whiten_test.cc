#include "core/preprocessing/whiten.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/preprocessing/training_rows.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/io/io_test_util.h"
#include "tests/core/preprocessing/made_up_images.h"

namespace kwta::whiten_test {
namespace {

// Rows whose dimensions hang together: Gaussian, mixed by a random matrix, away from zero.
Dataset MixedRows(int64_t rows, int64_t width, uint64_t seed) {
  const std::vector<float> mixing = GaussianRow(width * width, seed);
  Tensor tensor(DType::kF32, {rows, width});
  for (int64_t i = 0; i < rows; ++i) {
    const std::vector<float> source = GaussianRow(width, seed * 1000 + i);
    for (int64_t d = 0; d < width; ++d) {
      float sum = static_cast<float>(5 + d);
      for (int64_t e = 0; e < width; ++e) sum += mixing[d * width + e] * source[e];
      tensor.as<float>()[i * width + d] = sum;
    }
  }
  return AsDataset(std::move(tensor));
}

TrainingRows Whitened(const Dataset& data, double epsilon, const std::string& backend) {
  return TrainingRows::Create(ResolvedSpec(absl::StrCat("steps { whiten { epsilon: ", epsilon, " } }")), data,
                              *CreateAnyBackend(backend, {2}).value(), testing::TempDir())
      .value();
}

std::vector<float> AllRows(TrainingRows& rows) {
  std::vector<uint32_t> which(rows.rows());
  std::iota(which.begin(), which.end(), 0u);
  std::vector<float> out(rows.rows() * rows.width());
  EXPECT_THAT(rows.Gather(which.data(), rows.rows(), out.data()), IsOk());
  return out;
}

// Covariance of x[rows, width], and its mean, in binary64.
std::vector<double> Covariance(const std::vector<float>& x, int64_t width, std::vector<double>* mean) {
  const int64_t rows = static_cast<int64_t>(x.size()) / width;
  mean->assign(width, 0);
  for (int64_t j = 0; j < rows * width; ++j) (*mean)[j % width] += x[j] / static_cast<double>(rows);
  std::vector<double> covariance(width * width);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t d = 0; d < width; ++d) {
      for (int64_t e = 0; e < width; ++e) {
        covariance[d * width + e] +=
            (x[i * width + d] - (*mean)[d]) * (x[i * width + e] - (*mean)[e]) / static_cast<double>(rows);
      }
    }
  }
  return covariance;
}

class WhitenOnEveryBackend : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, WhitenOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(WhitenOnEveryBackend, LeavesTheIdentityAsCovariance) {
  TrainingRows rows = Whitened(MixedRows(1300, 17, 1), 1e-6, GetParam());
  std::vector<double> mean;
  const std::vector<double> covariance = Covariance(AllRows(rows), 17, &mean);
  for (int64_t d = 0; d < 17; ++d) {
    EXPECT_NEAR(mean[d], 0, 1e-4);
    for (int64_t e = 0; e < 17; ++e) EXPECT_NEAR(covariance[d * 17 + e], d == e, 2e-3) << d << ", " << e;
  }
}

TEST_P(WhitenOnEveryBackend, EpsilonIsAddedToTheEigenvalues) {
  // Independent dimensions of variance 4, 1 and 0.25: each is divided by sqrt(variance + epsilon).
  Tensor tensor(DType::kF32, {8, 3});
  for (int64_t i = 0; i < 8; ++i) {
    const float signs[3] = {i & 1 ? 1.0f : -1.0f, i & 2 ? 1.0f : -1.0f, i & 4 ? 1.0f : -1.0f};
    const float row[3] = {10 + 2 * signs[0], signs[1] - 3, 0.5f * signs[2]};
    std::copy(row, row + 3, tensor.as<float>() + i * 3);
  }
  TrainingRows rows = Whitened(AsDataset(std::move(tensor)), 0.75, GetParam());
  const std::vector<float> whitened = AllRows(rows);
  const double expected[3] = {2 / std::sqrt(4.75), 1 / std::sqrt(1.75), 0.5};
  for (int64_t i = 0; i < 8; ++i) {
    for (int64_t d = 0; d < 3; ++d) {
      EXPECT_NEAR(whitened[i * 3 + d], (i >> d & 1) != 0 ? expected[d] : -expected[d], 1e-5);
    }
  }
}

TEST(Whiten, IsZeroPhase) {
  // The matrix is symmetric: of all whitening transforms it changes the rows least.
  TrainingRows rows = Whitened(MixedRows(300, 12, 2), 0.1, "");
  TensorMap tensors;
  rows.preprocessor().Export(&tensors);
  const float* matrix = tensors.at("preprocessing.0.matrix").as<float>();
  for (int64_t d = 0; d < 12; ++d) {
    EXPECT_GT(matrix[d * 12 + d], 0);
    for (int64_t e = 0; e < d; ++e) EXPECT_NEAR(matrix[d * 12 + e], matrix[e * 12 + d], 1e-6);
  }
}

TEST(Whiten, OfTooFewRowsStaysFinite) {
  TrainingRows rows = Whitened(MixedRows(5, 12, 3), 0.1, "");
  EXPECT_EQ(rows.warnings().size(), 1u);
  std::vector<double> mean;
  const std::vector<double> covariance = Covariance(AllRows(rows), 12, &mean);
  double trace = 0;
  for (int64_t d = 0; d < 12; ++d) trace += covariance[d * 12 + d];
  // Four directions differ among five rows; each has variance lambda / (lambda + 0.1).
  EXPECT_LT(trace, 4);
  EXPECT_GT(trace, 3.5);
}

}  // namespace
}  // namespace kwta::whiten_test

#include "core/research/reproduction/denoising_expansion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/rng.h"

namespace kwta::denoising_expansion_test {
namespace {

class DenoisingExpansionTest : public testing::Test {
 protected:
  static constexpr int64_t kUnits = 7, kWidth = 5, kRows = 4;

  DenoisingExpansionTest() {
    Rng rng(8);
    for (auto* numbers : {&atoms_, &bias_, &decoder_bias_, &x_}) {
      for (float& each : *numbers) each = static_cast<float>(0.7 * rng.Gaussian());
    }
  }
  ExpandedAutoencoder Model(Activation activation) const {
    return {atoms_.data(), bias_.data(), decoder_bias_.data(), kUnits, kWidth, activation, x_.data(), kRows};
  }
  double Loss(Activation activation, const std::vector<double>& seen, const float* x) const {
    std::vector<double> y(decoder_bias_.begin(), decoder_bias_.end());
    for (int64_t j = 0; j < kUnits; ++j) {
      double a = bias_[j];
      for (int64_t d = 0; d < kWidth; ++d) a += atoms_[j * kWidth + d] * seen[d];
      const double h = activation == Activation::kSigmoid ? 1 / (1 + std::exp(-a)) : std::log(1 + std::exp(a));
      for (int64_t d = 0; d < kWidth; ++d) y[d] += h * atoms_[j * kWidth + d];
    }
    double loss = 0;
    for (int64_t d = 0; d < kWidth; ++d) loss += (y[d] - x[d]) * (y[d] - x[d]);
    return loss;
  }

  ThreadPool pool_{2};
  std::vector<float> atoms_ = std::vector<float>(kUnits * kWidth), bias_ = std::vector<float>(kUnits),
                     decoder_bias_ = std::vector<float>(kWidth), x_ = std::vector<float>(kRows * kWidth);
};

// The bracket is half of the trace of the loss's second derivative along the encoder's input.
TEST_F(DenoisingExpansionTest, TheBracketIsHalfOfTheLaplacian) {
  for (const Activation activation : {Activation::kSigmoid, Activation::kSoftplus}) {
    double expected = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      const float* const x = x_.data() + i * kWidth;
      std::vector<double> seen(x, x + kWidth);
      const double here = Loss(activation, seen, x);
      for (int64_t d = 0; d < kWidth; ++d) {
        constexpr double kH = 1e-4;
        seen[d] = x[d] + kH;
        const double above = Loss(activation, seen, x);
        seen[d] = x[d] - kH;
        const double below = Loss(activation, seen, x);
        seen[d] = x[d];
        expected += (above + below - 2 * here) / (2 * kH * kH * kRows);
      }
    }
    EXPECT_NEAR(DenoisingBracket(Model(activation), pool_), expected, 1e-4 * (1 + std::abs(expected)));
  }
}

TEST_F(DenoisingExpansionTest, TheExcessTendsToTheBracket) {
  for (const Activation activation : {Activation::kSigmoid, Activation::kSoftplus}) {
    const double bracket = DenoisingBracket(Model(activation), pool_);
    const std::vector<double> excess = DenoisingExcess(Model(activation), {1, 1e-2, 1e-4}, 20'000, 3, pool_);
    EXPECT_NEAR(excess[2], bracket, 0.02 * std::abs(bracket));
    EXPECT_LT(std::abs(excess[1] - excess[2]), std::abs(excess[0] - excess[2])) << "higher orders are to vanish";
  }
}

TEST_F(DenoisingExpansionTest, ThreadsDoNotChangeTheNumbers) {
  ThreadPool one(1);
  EXPECT_EQ(DenoisingExcess(Model(Activation::kReLU), {0.1}, 50, 3, pool_),
            DenoisingExcess(Model(Activation::kReLU), {0.1}, 50, 3, one));
}

}  // namespace
}  // namespace kwta::denoising_expansion_test

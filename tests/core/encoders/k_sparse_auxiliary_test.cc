// The auxiliary loss, which brings dead units back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/backends/backend_registry.h"
#include "core/encoders/k_sparse.h"
#include "tests/core/encoders/gradient_check.h"
#include "tests/core/encoders/k_sparse_fixture.h"
#include "tests/core/encoders/k_sparse_learners.h"
#include "tests/core/encoders/take_step.h"

namespace kwta::k_sparse_auxiliary_test {
namespace {

class AuxiliaryLossOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, AuxiliaryLossOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

// (weight / rows) sum |e - ehat|^2, with e and the supports given: the auxiliary loss of KSparseSpec.
double AuxiliaryLoss(const KSparseOracle& model, const std::vector<double>& x, const std::vector<double>& left_over,
                     const std::vector<std::vector<int32_t>>& supports, double weight) {
  double loss = 0;
  for (size_t i = 0; i < supports.size(); ++i) {
    std::vector<double> error(left_over.begin() + i * model.width, left_over.begin() + (i + 1) * model.width);
    const std::vector<double> z = model.Activities(x.data() + i * model.width);
    for (const int32_t h : supports[i]) {
      for (int64_t d = 0; d < model.width; ++d) error[d] -= z[h] * model.atoms[h * model.width + d];
    }
    for (const double each : error) loss += each * each;
  }
  return weight * loss / static_cast<double>(supports.size());
}

TEST_P(AuxiliaryLossOnEveryBackend, DeadUnitsFollowTheGradientOfTheAuxiliaryLoss) {
  constexpr int64_t kUnits = 14, kWidth = 9, kRows = 5, kK = 2;
  constexpr float kWeight = 0.25f;
  const ModelBundle model = RandomKSparseModel(kUnits, kWidth, kK, false, 21);
  v1::KSparseSpec spec = ResolvedKSparse(kUnits, kK);
  auto plain = MakeLearner(spec, kWidth, 1, backend_);
  spec.set_auxiliary_k(3);
  spec.set_auxiliary_weight(kWeight);
  spec.set_dead_after_rows(kRows);  // at once
  auto learner = MakeLearner(spec, kWidth, 1, backend_);
  for (Learner* each : {plain.get(), learner.get()}) {
    TensorMap state = each->Checkpoint().value();
    for (const auto& [name, tensor] : model.tensors) state[name] = tensor.Clone();
    ASSERT_TRUE(each->Restore(state).ok());
  }

  Rng rng(28);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const StepOptions options = {kK, 1.0f, 0.0f};
  const StepStatistics statistics = TakeStep(*plain, x.as<float>(), kRows, options).value();
  ASSERT_TRUE(TakeStep(*learner, x.as<float>(), kRows, options).ok());
  const TensorMap without = plain->Parameters().value(), with = learner->Parameters().value();

  const std::vector<double> exact_x = KSparseOracle::Copy(x);
  KSparseOracle oracle(model.tensors);
  std::vector<int32_t> dead;
  for (int64_t h = 0; h < kUnits; ++h) {
    if (statistics.active_rows[h] == 0) dead.push_back(static_cast<int32_t>(h));
  }
  ASSERT_GT(dead.size(), 4u);
  std::vector<double> left_over = exact_x;
  std::vector<std::vector<int32_t>> supports;
  for (int64_t i = 0; i < kRows; ++i) {
    const std::vector<double> z = oracle.Activities(exact_x.data() + i * kWidth);
    const std::vector<double> xhat = oracle.Reconstruction(z, KSparseOracle::Support(z, kK));
    for (int64_t d = 0; d < kWidth; ++d) left_over[i * kWidth + d] -= xhat[d];
    std::vector<double> of_dead;
    for (const int32_t h : dead) of_dead.push_back(z[h]);
    supports.emplace_back();
    for (const int32_t j : KSparseOracle::Support(of_dead, 3)) supports.back().push_back(dead[j]);
  }
  const auto check = [&](const char* name, std::vector<double>& parameters) {
    ExpectMovedByTheGradient(name, without.at(name), with.at(name), parameters, 2e-5,
                             [&] { return AuxiliaryLoss(oracle, exact_x, left_over, supports, kWeight); });
  };
  check("atoms", oracle.atoms);
  check("bias", oracle.bias);
  EXPECT_EQ(Floats(without.at("decoder_bias")), Floats(with.at("decoder_bias")));
}

// Rows of 40 directions and a large mean, which a few units win altogether.
Tensor RowsWithAMean(int64_t rows, int64_t width, Rng& rng) {
  Rng direction_rng(5);
  const Tensor directions = GaussianTensor({40, width}, 1.0, direction_rng);
  Tensor x = GaussianTensor({rows, width}, 0.05, rng);
  for (int64_t i = 0; i < rows; ++i) {
    const float* direction = directions.as<float>() + rng.UniformBelow(40) * width;
    for (int64_t d = 0; d < width; ++d) x.as<float>()[i * width + d] += direction[d] + 2;
  }
  return x;
}

TEST_P(AuxiliaryLossOnEveryBackend, TheAuxiliaryLossBringsDeadUnitsBack) {
  const auto dead_after = [this](uint32_t auxiliary_k) {
    v1::KSparseSpec spec = ResolvedKSparse(40, 2);
    spec.set_auxiliary_k(auxiliary_k);
    spec.set_auxiliary_weight(1);
    spec.set_dead_after_rows(100);
    EXPECT_TRUE(ResolveKSparse(&spec).ok());
    auto learner = MakeLearner(spec, 16, 3, backend_);
    Rng rng(29);
    const int steps = IsEmulated(GetParam()) ? 500 : 1000;
    for (int step = 0; step < steps; ++step) {
      const Tensor x = RowsWithAMean(20, 16, rng);
      EXPECT_TRUE(learner->Step(x.as<float>(), 20, {2, 1e-3f, 0.9f}).ok());
      if (step == steps - 51) learner->TakeStatistics().value();
    }
    const std::vector<int64_t> active = learner->TakeStatistics().value().active_rows;
    return std::count(active.begin(), active.end(), 0);
  };
  const auto without = dead_after(0), with = dead_after(10);
  EXPECT_GT(without, 30);
  EXPECT_LT(with, 25);
}

TEST_P(AuxiliaryLossOnEveryBackend, AnAuxiliaryLossThatIsNotFiniteIsDivergenceToo) {
  v1::KSparseSpec spec = ResolvedKSparse(6, 2);
  spec.set_auxiliary_k(3);
  spec.set_dead_after_rows(8);
  ASSERT_TRUE(ResolveKSparse(&spec).ok());
  auto learner = MakeLearner(spec, 4, 3, backend_);
  TensorMap state = learner->Checkpoint().value();
  // Units 2 to 5 win nothing, and reconstruct what is not finite.
  for (int64_t unit = 2; unit < 6; ++unit) {
    state["bias"].as<float>()[unit] = -1e30f;
    for (int64_t d = 0; d < 4; ++d) state["atoms"].as<float>()[unit * 4 + d] = 3e38f;
  }
  ASSERT_EQ(learner->Restore(state), absl::OkStatus());
  const std::vector<float> x(32, 1e-12f);
  EXPECT_TRUE(std::isnan(ErrorOfStep(*learner, x.data(), 8, {2, 1e-3f, 0.9f})));
}

}  // namespace
}  // namespace kwta::k_sparse_auxiliary_test

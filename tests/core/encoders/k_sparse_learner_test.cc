#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/backends/backend_registry.h"
#include "core/encoders/k_sparse.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/gradient_check.h"
#include "tests/core/encoders/k_sparse_fixture.h"
#include "tests/core/encoders/k_sparse_learners.h"
#include "tests/core/encoders/take_step.h"

namespace kwta::k_sparse_learner_test {
namespace {

using testing::HasSubstr;

double Norm(const float* row, int64_t width) {
  double squared = 0;
  for (int64_t d = 0; d < width; ++d) squared += double{row[d]} * row[d];
  return std::sqrt(squared);
}

// (1 / rows) sum |x - xhat|^2 with the supports given: the loss of TrainingSpec, in which only the support's choice is
// not smooth.
double Loss(const KSparseOracle& model, const std::vector<double>& x,
            const std::vector<std::vector<int32_t>>& supports) {
  double loss = 0;
  for (size_t i = 0; i < supports.size(); ++i) {
    const double* row = x.data() + i * model.width;
    const std::vector<double> xhat = model.Reconstruction(model.Activities(row), supports[i]);
    for (int64_t d = 0; d < model.width; ++d) loss += (row[d] - xhat[d]) * (row[d] - xhat[d]);
  }
  return loss / static_cast<double>(supports.size());
}

class LearnerOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, LearnerOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(LearnerOnEveryBackend, AStepFollowsTheGradientOfTheLoss) {
  constexpr int64_t kUnits = 14, kWidth = 9, kRows = 5, kK = 3;
  const ModelBundle model = RandomKSparseModel(kUnits, kWidth, kK, false, 21);
  auto learner = MakeLearner(ResolvedKSparse(kUnits, kK), kWidth, 1, backend_);
  TensorMap state = learner->Checkpoint().value();
  for (const auto& [name, tensor] : model.tensors) state[name] = tensor.Clone();
  ASSERT_TRUE(learner->Restore(state).ok());

  Rng rng(28);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const std::vector<double> exact_x = KSparseOracle::Copy(x);
  KSparseOracle oracle(model.tensors);
  std::vector<std::vector<int32_t>> supports;
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<double> z = oracle.Activities(exact_x.data() + i * kWidth);
    supports.push_back(KSparseOracle::Support(z, kK));
    std::sort(z.begin(), z.end(), std::greater<>());
    ASSERT_GT(z[kK - 1] - z[kK], 1e-3) << "the case is meant to have well separated supports";
  }

  // With no momentum and a rate of 1 a step moves each parameter by minus its gradient.
  const StepStatistics statistics = TakeStep(*learner, x.as<float>(), kRows, {kK, 1.0f, 0.0f}).value();
  ASSERT_EQ(statistics.squared_errors.size(), 1u);
  EXPECT_NEAR(statistics.squared_errors[0] / kRows, Loss(oracle, exact_x, supports), 1e-4);
  const TensorMap moved = learner->Parameters().value();
  const auto check = [&](const char* name, std::vector<double>& parameters) {
    ExpectMovedByTheGradient(name, model.tensors.at(name), moved.at(name), parameters, 2e-5,
                             [&] { return Loss(oracle, exact_x, supports); });
  };
  check("atoms", oracle.atoms);
  check("bias", oracle.bias);
  check("decoder_bias", oracle.decoder_bias);

  std::vector<int64_t> active_rows(kUnits);
  for (const auto& support : supports) {
    for (const int32_t h : support) ++active_rows[h];
  }
  EXPECT_EQ(statistics.active_rows, active_rows);
}

TEST_P(LearnerOnEveryBackend, UnitNormAtomsStayOfLengthOne) {
  v1::KSparseSpec spec = ResolvedKSparse(30, 4);
  spec.set_unit_norm_atoms(true);
  auto learner = MakeLearner(spec, 11, 3, backend_);
  Rng rng(23);
  for (int step = 0; step < 5; ++step) {
    const TensorMap parameters = learner->Parameters().value();
    for (int64_t h = 0; h < 30; ++h) {
      EXPECT_NEAR(Norm(parameters.at("atoms").as<float>() + h * 11, 11), 1.0, 1e-6) << "before step " << step;
    }
    const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
    ASSERT_TRUE(learner->Step(x.as<float>(), 8, {4, 0.05f, 0.9f}).ok());
  }
}

TEST_P(LearnerOnEveryBackend, ReportsDivergence) {
  Rng rng(24);
  const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
  // The last rates make weights infinite in one update, so that the next one meets sums that are not numbers.
  for (const float rate : {1e2f, 1e6f, 1e20f, 1e38f}) {
    auto learner = MakeLearner(ResolvedKSparse(30, 4), 11, 3, backend_);
    bool diverged = false;
    for (int step = 0; step < 100 && !diverged; ++step) {
      diverged = !std::isfinite(ErrorOfStep(*learner, x.as<float>(), 8, {4, rate, 0.9f}));
    }
    EXPECT_TRUE(diverged) << rate;
  }
}

TEST_P(LearnerOnEveryBackend, SaysWhichUpdateDiverged) {
  Rng rng(24);
  const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
  auto learner = MakeLearner(ResolvedKSparse(30, 4), 11, 3, backend_);
  // The second update makes weights infinite, which the third meets.
  for (const float rate : {0.01f, 1e38f, 0.01f, 0.01f}) {
    ASSERT_EQ(learner->Step(x.as<float>(), 8, {4, rate, 0.9f}), absl::OkStatus());
  }
  const std::vector<double> errors = learner->TakeStatistics().value().squared_errors;
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_TRUE(std::isfinite(errors[0]) && std::isfinite(errors[1]));
  EXPECT_FALSE(std::isfinite(errors[2]));
}

TEST(KSparseLearner, AStepDoesNotWaitForTheBackend) {
  for (const uint32_t auxiliary_k : {0, 5}) {
    v1::KSparseSpec spec = ResolvedKSparse(30, 4);
    spec.set_auxiliary_k(auxiliary_k);
    spec.set_dead_after_rows(8);
    ASSERT_TRUE(ResolveKSparse(&spec).ok());
    const auto backend = std::make_shared<DistantBackend>();
    auto learner = MakeLearner(spec, 11, 3, backend);
    Rng rng(25);
    const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
    const int before = backend->waits();
    for (int step = 0; step < 5; ++step) ASSERT_TRUE(learner->Step(x.as<float>(), 8, {4, 0.05f, 0.9f}).ok());
    EXPECT_EQ(backend->waits() - before, 5);  // to copy x, and for nothing else
  }
}

TEST(KSparseLearner, WorksWhereTheHostCannotTouchTheBackendsMemory) {
  auto near = MakeLearner(ResolvedKSparse(30, 4), 11, 3);
  auto far = MakeLearner(ResolvedKSparse(30, 4), 11, 3, std::make_shared<DistantBackend>());
  Rng rng(25);
  for (const int64_t rows : {8, 3, 9}) {  // scratch memory is kept, and grows
    const Tensor x = GaussianTensor({rows, 11}, 1.0, rng);
    const StepOptions options = {4, 0.05f, 0.9f};
    const StepStatistics of_near = TakeStep(*near, x.as<float>(), rows, options).value();
    const StepStatistics of_far = TakeStep(*far, x.as<float>(), rows, options).value();
    EXPECT_EQ(of_near.squared_errors, of_far.squared_errors);
    EXPECT_EQ(of_near.active_rows, of_far.active_rows);
  }
  EXPECT_EQ(Numbers(near->Checkpoint().value()), Numbers(far->Checkpoint().value()));
}

TEST(KSparseLearner, MomentumCarriesTheLastStepOn) {
  auto learner = MakeLearner(ResolvedKSparse(30, 4), 11);
  Rng rng(26);
  const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
  const TensorMap start = learner->Parameters().value();
  ASSERT_TRUE(learner->Step(x.as<float>(), 8, {4, 0.1f, 0.5f}).ok());
  const TensorMap first = learner->Parameters().value();
  ASSERT_TRUE(learner->Step(x.as<float>(), 8, {4, 0.0f, 0.5f}).ok());  // no gradient, only half the velocity
  const TensorMap second = learner->Parameters().value();
  for (const char* name : {"atoms", "bias", "decoder_bias"}) {
    const std::vector<float> a = Floats(start.at(name)), b = Floats(first.at(name)), c = Floats(second.at(name));
    EXPECT_NE(a, b) << name;
    for (size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(c[j] - b[j], 0.5 * (b[j] - a[j]), 1e-6) << name;
  }
}

TEST(KSparseLearner, StartsFromAGaussianOfTheSeed) {
  v1::KSparseSpec spec = ResolvedKSparse(200, 4);
  spec.set_init_sigma(0.3f);
  const TensorMap parameters = MakeLearner(spec, 50, 7)->Parameters().value();
  double squared = 0;
  for (const float weight : Floats(parameters.at("atoms"))) squared += double{weight} * weight;
  EXPECT_NEAR(std::sqrt(squared / 10'000), 0.3, 0.01);
  EXPECT_EQ(Floats(parameters.at("bias")), std::vector<float>(200));
  EXPECT_EQ(Floats(parameters.at("decoder_bias")), std::vector<float>(50));
  EXPECT_EQ(Numbers(parameters), Numbers(MakeLearner(spec, 50, 7)->Parameters().value()));
  EXPECT_NE(Numbers(parameters), Numbers(MakeLearner(spec, 50, 8)->Parameters().value()));
}

TEST(KSparseLearner, KFallsLinearlyThenStays) {
  v1::KSparseSpec spec = ResolvedKSparse(1000, 15);
  spec.set_k_start(100);
  const auto learner = MakeLearner(spec, 4);
  EXPECT_EQ(learner->ScheduledK(0), 100);
  EXPECT_EQ(learner->ScheduledK(0.1), 83);
  EXPECT_EQ(learner->ScheduledK(0.25), 58);  // 57.5
  EXPECT_EQ(learner->ScheduledK(0.499), 15);
  EXPECT_EQ(learner->ScheduledK(0.5), 15);
  EXPECT_EQ(learner->ScheduledK(1), 15);
  spec.set_anneal_fraction(0);
  EXPECT_EQ(MakeLearner(spec, 4)->ScheduledK(0), 15);
  spec.set_anneal_fraction(1);
  EXPECT_EQ(MakeLearner(spec, 4)->ScheduledK(0.5), 58);
  EXPECT_EQ(MakeLearner(spec, 4)->ScheduledK(1), 15);
}

TEST(KSparseLearner, GoesOnFromItsCheckpointExactly) {
  for (const uint32_t auxiliary_k : {0, 5}) {
    v1::KSparseSpec spec = ResolvedKSparse(30, 4);
    spec.set_auxiliary_k(auxiliary_k);
    spec.set_dead_after_rows(16);  // some die at the second of the steps, which counts from before the checkpoint
    ASSERT_TRUE(ResolveKSparse(&spec).ok());
    auto learner = MakeLearner(spec, 11, 3);
    auto other = MakeLearner(spec, 11, 99);
    Rng rng(27);
    const Tensor x = GaussianTensor({8, 11}, 1.0, rng);
    const StepOptions options = {4, 0.05f, 0.9f};
    ASSERT_TRUE(learner->Step(x.as<float>(), 8, options).ok());
    ASSERT_TRUE(other->Step(x.as<float>(), 8, options).ok());
    ASSERT_TRUE(other->Restore(learner->Checkpoint().value()).ok());
    ASSERT_TRUE(learner->Step(x.as<float>(), 8, options).ok());
    ASSERT_TRUE(other->Step(x.as<float>(), 8, options).ok());
    EXPECT_EQ(Numbers(learner->Parameters().value()), Numbers(other->Parameters().value())) << auxiliary_k;
  }
}

TEST(KSparseLearner, RefusesStatesThatDoNotFit) {
  auto learner = MakeLearner(ResolvedKSparse(30, 4), 11);
  TensorMap state = learner->Checkpoint().value();
  state.erase("velocity.bias");
  absl::Status status = learner->Restore(state);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no tensor \"velocity.bias\""));
  v1::KSparseSpec auxiliary = ResolvedKSparse(30, 4);
  auxiliary.set_auxiliary_k(3);
  status = MakeLearner(auxiliary, 11)->Restore(learner->Checkpoint().value());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no tensor \"idle_rows\""));
  state = learner->Checkpoint().value();
  state["atoms"] = Tensor(DType::kF32, {11, 30});
  status = learner->Restore(state);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("f32[11, 30]; expected f32[30, 11]"));
}

TEST_P(LearnerOnEveryBackend, MeasuresTheLengthOfTheGradientAndChangesNothing) {
  constexpr int64_t kUnits = 14, kWidth = 9, kRows = 5, kK = 3;
  Rng rng(28);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const auto plain = MakeLearner(ResolvedKSparse(kUnits, kK), kWidth, 1, backend_);
  const auto measured = MakeLearner(ResolvedKSparse(kUnits, kK), kWidth, 1, backend_);
  StepOptions options{kK, 0.01f, 0.9f};
  std::vector<std::map<std::string, std::vector<float>>> moments = {Numbers(plain->Parameters().value())};
  for (int i = 0; i < 6; ++i) {
    options.measure_gradient = false;
    EXPECT_FALSE(TakeStep(*plain, x.as<float>(), kRows, options).value().gradient_norm.has_value());
    moments.push_back(Numbers(plain->Parameters().value()));
    options.measure_gradient = true;
    const StepStatistics statistics = TakeStep(*measured, x.as<float>(), kRows, options).value();
    ASSERT_TRUE(statistics.gradient_norm.has_value());
    // What moved is momentum times the last move, less the rate times the gradient.
    double squared = 0;
    for (const auto& [name, now] : moments[i + 1]) {
      for (size_t j = 0; j < now.size(); ++j) {
        const double before = moments[i].at(name)[j];
        const double last_move = i == 0 ? 0 : before - moments[i - 1].at(name)[j];
        const double gradient = (0.9 * last_move - (now[j] - before)) / 0.01;
        squared += gradient * gradient;
      }
    }
    EXPECT_NEAR(*statistics.gradient_norm, std::sqrt(squared), 1e-3 * std::sqrt(squared));
  }
  EXPECT_EQ(Numbers(plain->Checkpoint().value()), Numbers(measured->Checkpoint().value()));
}

}  // namespace
}  // namespace kwta::k_sparse_learner_test

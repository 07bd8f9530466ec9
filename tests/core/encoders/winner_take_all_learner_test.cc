#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/backends/backend_registry.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/gradient_check.h"
#include "tests/core/encoders/take_step.h"
#include "tests/core/encoders/winner_take_all_fixture.h"

namespace kwta::winner_take_all_learner_test {
namespace {

using testing::HasSubstr;

std::shared_ptr<Backend> Reference() { return CreateBackend("reference", {1}).value(); }

std::unique_ptr<Learner> MakeLearner(const v1::WinnerTakeAllSpec& spec, v1::Optimiser optimiser = v1::OPTIMISER_ADAM,
                                     std::shared_ptr<Backend> backend = Reference(), uint64_t seed = 1) {
  return CreateWinnerTakeAllLearner(spec, seed, optimiser, std::move(backend)).value();
}

// All of a TensorMap's numbers, for comparison bit by bit.
std::map<std::string, std::string> Bytes(const TensorMap& tensors) {
  std::map<std::string, std::string> bytes;
  for (const auto& [name, tensor] : tensors) {
    bytes[name] = std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
  }
  return bytes;
}

class WinnerTakeAllLearnerOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, WinnerTakeAllLearnerOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(WinnerTakeAllLearnerOnEveryBackend, AStepFollowsTheGradientOfTheLoss) {
  for (bool tied : {false, true}) {
    const auto spec = FittedWinnerTakeAll({2, 5, 6}, [&](v1::WinnerTakeAllSpec* s) { s->set_tied_weights(tied); });
    const ModelBundle model = RandomWinnerTakeAllModel(spec, false, 21);
    auto learner = MakeLearner(spec, v1::OPTIMISER_SGD, backend_);
    TensorMap state = learner->Checkpoint().value();
    for (const auto& [name, tensor] : model.tensors) state[name] = tensor.Clone();
    ASSERT_EQ(learner->Restore(state), absl::OkStatus());

    constexpr int64_t kRows = 3, kWidth = 60;
    Rng rng(28);
    const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
    const std::vector<double> exact_x = KSparseOracle::Copy(x);
    WinnerTakeAllOracle oracle(spec, model.tensors);
    std::vector<std::vector<int64_t>> winners;
    for (int64_t i = 0; i < kRows; ++i) {
      winners.push_back(oracle.Winners(oracle.Activities(exact_x.data() + i * kWidth)));
    }
    const auto loss = [&] {
      if (tied) oracle.decoder_filters = oracle.filters;
      double sum = 0;
      for (int64_t i = 0; i < kRows; ++i) {
        const double* row = exact_x.data() + i * kWidth;
        const std::vector<double> xhat = oracle.Reconstruction(oracle.Activities(row), winners[i]);
        for (int64_t d = 0; d < kWidth; ++d) sum += (row[d] - xhat[d]) * (row[d] - xhat[d]);
      }
      return sum / kRows;
    };

    // With no momentum and a rate of 1 a step moves each parameter by minus its gradient.
    const StepStatistics statistics = TakeStep(*learner, x.as<float>(), kRows, {4, 1.0f, 0.0f}).value();
    ASSERT_EQ(statistics.squared_errors.size(), 1u);
    EXPECT_NEAR(statistics.squared_errors[0] / kRows, loss(), 1e-3);
    const TensorMap moved = learner->Parameters().value();
    EXPECT_EQ(moved.count("decoder_filters"), tied ? 0u : 1u);
    const auto check = [&](const char* name, std::vector<double>& parameters) {
      ExpectMovedByTheGradient(name, model.tensors.at(name), moved.at(name), parameters, 5e-5, loss);
    };
    check("filters", oracle.filters);
    check("bias", oracle.bias);
    if (!tied) check("decoder_filters", oracle.decoder_filters);
    check("decoder_bias", oracle.decoder_bias);
    for (int64_t m = 0; m < 4; ++m) {
      int32_t rows = 0;
      for (const auto& row : winners) {
        rows += std::any_of(row.begin(), row.end(), [&](int64_t unit) { return unit / 30 == m; });
      }
      EXPECT_EQ(statistics.active_rows[m], rows);
    }
  }
}

TEST_P(WinnerTakeAllLearnerOnEveryBackend, LearnsUnderEverySparsityAndOptimiser) {
  for (const auto sparsity :
       {v1::WINNER_SPARSITY_EACH_MAP, v1::WINNER_SPARSITY_ACROSS_MAPS, v1::WINNER_SPARSITY_NONE}) {
    for (const auto optimiser : {v1::OPTIMISER_ADAM, v1::OPTIMISER_SGD}) {
      SCOPED_TRACE(testing::Message() << "sparsity " << sparsity << ", optimiser " << optimiser);
      const auto spec = FittedWinnerTakeAll({8, 8}, [&](v1::WinnerTakeAllSpec* s) { s->set_sparsity(sparsity); });
      auto learner = MakeLearner(spec, optimiser, backend_);
      Rng rng(29);
      const Tensor x = GaussianTensor({20, 64}, 1.0, rng);
      const StepOptions options{learner->ScheduledK(0), optimiser == v1::OPTIMISER_ADAM ? 0.01f : 0.0005f, 0.9f};
      const double first = ErrorOfStep(*learner, x.as<float>(), 20, options);
      double last = first;
      const int steps = IsEmulated(GetParam()) ? 20 : 60;
      for (int step = 0; step < steps; ++step) last = ErrorOfStep(*learner, x.as<float>(), 20, options);
      EXPECT_LT(last, 0.97 * first);
    }
  }
}

TEST(WinnerTakeAllLearner, CountsMapsAndSaysHowWideCodesWillBe) {
  const auto learner = MakeLearner(FittedWinnerTakeAll({8, 9}, [](v1::WinnerTakeAllSpec* s) { s->set_winners(2); }));
  EXPECT_EQ(learner->units(), 4);
  EXPECT_EQ(learner->code_width(), 4 * 4 * 5);
  EXPECT_EQ(learner->ScheduledK(0), 8);
  EXPECT_EQ(learner->ScheduledK(1), 8);
}

TEST(WinnerTakeAllLearner, InitialWeightsHaveTheSpreadAskedForAndFollowTheSeed) {
  const auto spec = FittedWinnerTakeAll({20, 20}, [](v1::WinnerTakeAllSpec* s) {
    s->set_maps(100);
    s->set_filter_size(9);
    s->set_init_sigma(0.25f);
    s->set_decoder_init_sigma(0.125f);
  });
  const TensorMap tensors = MakeLearner(spec)->Parameters().value();
  for (const auto& [name, sigma] : std::map<std::string, double>{{"filters", 0.25}, {"decoder_filters", 0.125}}) {
    const Tensor& tensor = tensors.at(name);
    double squares = 0;
    for (int64_t i = 0; i < tensor.elements(); ++i) squares += std::pow(double{tensor.as<float>()[i]}, 2);
    EXPECT_NEAR(std::sqrt(squares / tensor.elements()), sigma, 0.03 * sigma) << name;
  }
  for (int64_t m = 0; m < 100; ++m) EXPECT_EQ(tensors.at("bias").as<float>()[m], 0.0f);
  EXPECT_EQ(Bytes(tensors), Bytes(MakeLearner(spec)->Parameters().value()));
  EXPECT_NE(Bytes(tensors)["filters"],
            Bytes(MakeLearner(spec, v1::OPTIMISER_ADAM, Reference(), 2)->Parameters().value())["filters"]);
}

TEST_P(WinnerTakeAllLearnerOnEveryBackend, BiasesStartAtTheMeansOfTheFirstBatch) {
  const auto spec = FittedWinnerTakeAll({2, 5, 6}, [](v1::WinnerTakeAllSpec* s) { s->set_biases_from_mean(true); });
  constexpr int64_t kRows = 4, kPositions = 30;
  Rng rng(33);
  Tensor x = GaussianTensor({kRows, 2 * kPositions}, 1.0, rng);
  double means[2] = {};
  for (int64_t i = 0; i < x.elements(); ++i) {
    x.as<float>()[i] += 3;
    means[i / kPositions % 2] += x.as<float>()[i] / (kRows * kPositions);
  }
  auto learner = MakeLearner(spec, v1::OPTIMISER_ADAM, backend_);
  const auto expect_biases = [&](double scale) {
    const TensorMap tensors = learner->Parameters().value();
    const Tensor& filters = tensors.at("filters");
    const int64_t weights = filters.elements() / 4;
    for (int64_t c = 0; c < 2; ++c) {
      EXPECT_NEAR(tensors.at("decoder_bias").as<float>()[c], scale * means[c], 1e-5);
    }
    for (int64_t m = 0; m < 4; ++m) {
      double response = 0;
      for (int64_t w = 0; w < weights; ++w) {
        response += filters.as<float>()[m * weights + w] * means[w / (weights / 2)];
      }
      EXPECT_NEAR(tensors.at("bias").as<float>()[m], -scale * response, 1e-4);
    }
  };
  const StepOptions nothing_moves{learner->ScheduledK(0), 0.0f, 0.9f};
  expect_biases(0);
  ASSERT_TRUE(learner->Step(x.as<float>(), kRows, nothing_moves).ok());
  expect_biases(1);
  // Only the first batch counts, and none after a checkpoint.
  ASSERT_TRUE(learner->Step(GaussianTensor({kRows, 2 * kPositions}, 1.0, rng).as<float>(), kRows, nothing_moves).ok());
  expect_biases(1);
  const TensorMap state = learner->Checkpoint().value();
  learner = MakeLearner(spec, v1::OPTIMISER_ADAM, backend_, 2);
  ASSERT_EQ(learner->Restore(state), absl::OkStatus());
  ASSERT_TRUE(learner->Step(GaussianTensor({kRows, 2 * kPositions}, 1.0, rng).as<float>(), kRows, nothing_moves).ok());
  expect_biases(1);
  // A checkpoint may precede the first batch.
  const TensorMap untrained = MakeLearner(spec, v1::OPTIMISER_ADAM, backend_, 2)->Checkpoint().value();
  ASSERT_EQ(learner->Restore(untrained), absl::OkStatus());
  expect_biases(0);
  ASSERT_TRUE(learner->Step(x.as<float>(), kRows, nothing_moves).ok());
  expect_biases(1);
}

TEST(WinnerTakeAllLearner, GoesOnFromACheckpointExactlyWhereItWas) {
  for (const auto optimiser : {v1::OPTIMISER_ADAM, v1::OPTIMISER_SGD}) {
    const auto spec = FittedWinnerTakeAll({6, 6});
    Rng rng(31);
    const Tensor x = GaussianTensor({10, 36}, 1.0, rng);
    auto whole = MakeLearner(spec, optimiser);
    for (int step = 0; step < 6; ++step) ASSERT_TRUE(whole->Step(x.as<float>(), 10, {4, 0.001f, 0.9f}).ok());
    auto first = MakeLearner(spec, optimiser);
    for (int step = 0; step < 3; ++step) ASSERT_TRUE(first->Step(x.as<float>(), 10, {4, 0.001f, 0.9f}).ok());
    auto second = MakeLearner(spec, optimiser, std::make_shared<DistantBackend>(), 77);
    ASSERT_EQ(second->Restore(first->Checkpoint().value()), absl::OkStatus());
    for (int step = 0; step < 3; ++step) ASSERT_TRUE(second->Step(x.as<float>(), 10, {4, 0.001f, 0.9f}).ok());
    EXPECT_EQ(Bytes(second->Checkpoint().value()), Bytes(whole->Checkpoint().value()));
  }
}

TEST(WinnerTakeAllLearner, AStepDoesNotWaitForTheBackend) {
  for (const auto optimiser : {v1::OPTIMISER_ADAM, v1::OPTIMISER_SGD}) {
    const auto backend = std::make_shared<DistantBackend>();
    auto learner = MakeLearner(FittedWinnerTakeAll({6, 6}), optimiser, backend);
    Rng rng(31);
    const Tensor x = GaussianTensor({10, 36}, 1.0, rng);
    const int before = backend->waits();
    for (int step = 0; step < 5; ++step) ASSERT_TRUE(learner->Step(x.as<float>(), 10, {4, 0.001f, 0.9f}).ok());
    EXPECT_EQ(backend->waits() - before, 5);  // to copy x, and for nothing else
  }
}

TEST(WinnerTakeAllLearner, RefusesStatesThatDoNotFit) {
  const auto spec = FittedWinnerTakeAll({6, 6});
  auto learner = MakeLearner(spec);
  const TensorMap good = learner->Checkpoint().value();
  for (const auto& [missing, unused] : good) {
    TensorMap state;
    for (const auto& [name, tensor] : good) {
      if (name != missing) state[name] = tensor.Clone();
    }
    const absl::Status status = learner->Restore(state);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("no tensor \"" + missing + "\""));
  }
  TensorMap state = learner->Checkpoint().value();
  state["bias"] = Tensor(DType::kF32, {5});
  EXPECT_THAT(std::string(learner->Restore(state).message()), HasSubstr("is f32[5]; expected f32[4]"));
  state = learner->Checkpoint().value();
  *state["adam.steps"].as<int64_t>() = -1;
  EXPECT_EQ(learner->Restore(state).code(), absl::StatusCode::kDataLoss);
}

TEST(WinnerTakeAllLearner, ReportsDivergence) {
  auto learner = MakeLearner(FittedWinnerTakeAll({6, 6}), v1::OPTIMISER_SGD);
  Rng rng(33);
  const Tensor x = GaussianTensor({10, 36}, 1.0, rng);
  bool diverged = false;
  for (int step = 0; step < 50 && !diverged; ++step) {
    diverged = !std::isfinite(ErrorOfStep(*learner, x.as<float>(), 10, {4, 1e6f, 0.9f}));
  }
  EXPECT_TRUE(diverged);
}

TEST_P(WinnerTakeAllLearnerOnEveryBackend, MeasuresTheLengthOfTheGradientAndChangesNothing) {
  constexpr int64_t kRows = 3, kWidth = 60;
  const auto spec = FittedWinnerTakeAll({2, 5, 6}, [](v1::WinnerTakeAllSpec*) {});
  Rng rng(28);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const auto plain = MakeLearner(spec, v1::OPTIMISER_SGD, backend_);
  const auto measured = MakeLearner(spec, v1::OPTIMISER_SGD, backend_);
  const TensorMap before = plain->Parameters().value();
  StepOptions options{4, 0.01f, 0.9f};
  ErrorOfStep(*plain, x.as<float>(), kRows, options);
  const TensorMap after = plain->Parameters().value();
  double squared = 0;
  for (const auto& [name, now] : after) {
    for (int64_t j = 0; j < now.elements(); ++j) {
      const double gradient = (double{before.at(name).as<float>()[j]} - now.as<float>()[j]) / 0.01;
      squared += gradient * gradient;
    }
  }
  options.measure_gradient = true;
  const StepStatistics statistics = TakeStep(*measured, x.as<float>(), kRows, options).value();
  ASSERT_TRUE(statistics.gradient_norm.has_value());
  EXPECT_NEAR(*statistics.gradient_norm, std::sqrt(squared), 1e-3 * std::sqrt(squared));
  EXPECT_EQ(Bytes(plain->Checkpoint().value()), Bytes(measured->Checkpoint().value()));
}

}  // namespace
}  // namespace kwta::winner_take_all_learner_test

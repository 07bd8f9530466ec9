#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/regularised.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/gradient_check.h"
#include "tests/core/encoders/k_sparse_fixture.h"
#include "tests/core/encoders/take_step.h"

namespace kwta::regularised_learner_test {
namespace {

using testing::HasSubstr;

constexpr int64_t kUnits = 13, kWidth = 8, kRows = 6;

v1::RegularisedSpec Spec(void (*set)(v1::RegularisedSpec*)) {
  v1::RegularisedSpec spec;
  spec.set_units(kUnits);
  set(&spec);
  EXPECT_EQ(ResolveRegularised(&spec), absl::OkStatus());
  return spec;
}

// Each regulariser, and each rule for the weights.
std::vector<v1::RegularisedSpec> Specs() {
  using S = v1::RegularisedSpec;
  return {Spec([](S* spec) { spec->set_gaussian_noise(0.3f); }),
          Spec([](S* spec) { spec->set_masking_noise(0.3f); }),
          Spec([](S* spec) {
            spec->set_first_order_noise(0.1f);
            spec->set_activation(v1::ACTIVATION_SOFTPLUS);
          }),
          Spec([](S* spec) {
            spec->set_contraction(0.3f);
            spec->set_max_length(0.8f);
          }),
          Spec([](S* spec) {
            spec->set_marginalised_noise(0.3f);
            spec->set_activation(v1::ACTIVATION_SIGMOID);
            spec->set_weight_decay(0.1f);
          }),
          Spec([](S* spec) {
            spec->set_sparse_penalty(0.3f);
            spec->set_activity_limit(0.8f);
            spec->set_target_activity(0.2f);
            spec->set_unit_length(false);
          })};
}

std::map<std::string, std::string> Bytes(const TensorMap& tensors) {
  std::map<std::string, std::string> bytes;
  for (const auto& [name, tensor] : tensors) {
    bytes[name] = std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
  }
  return bytes;
}

class RegularisedLearners : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Learner> Make(const v1::RegularisedSpec& spec, uint64_t seed = 1) {
    v1::EncoderSpec encoder;
    *encoder.mutable_regularised() = spec;
    v1::TrainingSpec training;
    training.set_seed(seed);
    return CreateLearner(encoder, {kWidth}, training, backend_).value();
  }
  // Steps from..to of a run on fixed rows.
  static void Train(Learner& learner, int from, int to) {
    for (int step = from; step < to; ++step) {
      Rng rng(100 + step);
      const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
      ASSERT_EQ(learner.Step(x.as<float>(), kRows, {kUnits, 0.02f, 0.9f}), absl::OkStatus());
    }
  }
  static std::vector<double> Lengths(const Learner& learner) {
    const TensorMap parameters = learner.Parameters().value();
    std::vector<double> lengths(kUnits);
    for (int64_t j = 0; j < kUnits; ++j) {
      for (int64_t d = 0; d < kWidth; ++d) {
        lengths[j] += std::pow(double{parameters.at("atoms").as<float>()[j * kWidth + d]}, 2);
      }
      lengths[j] = std::sqrt(lengths[j]);
    }
    return lengths;
  }

  std::shared_ptr<Backend> backend_ = CreateAnyBackend(GetParam(), {2}).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, RegularisedLearners, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(RegularisedLearners, StartsNormalised) {
  auto learner = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_unit_length(false); }));
  const TensorMap parameters = learner->Parameters().value();
  const Tensor& atoms = parameters.at("atoms");
  const double bound = std::sqrt(6.0 / (kUnits + kWidth));
  double squares = 0, largest = 0;
  for (int64_t e = 0; e < atoms.elements(); ++e) {
    largest = std::max(largest, std::fabs(double{atoms.as<float>()[e]}));
    squares += std::pow(double{atoms.as<float>()[e]}, 2);
  }
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.9 * bound);
  // Uniform numbers have a variance of bound^2 / 3.
  EXPECT_NEAR(squares / static_cast<double>(atoms.elements()), bound * bound / 3, 0.25 * bound * bound / 3);
  for (const char* name : {"bias", "decoder_bias"}) {
    const Tensor& zeros = parameters.at(name);
    for (int64_t e = 0; e < zeros.elements(); ++e) EXPECT_EQ(zeros.as<float>()[e], 0);
  }
}

TEST_P(RegularisedLearners, RowsKeepTheLengthThatIsAsked) {
  auto unit = Make(Spec([](v1::RegularisedSpec*) {}));
  auto bounded = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_max_length(0.5f); }));
  auto free = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_unit_length(false); }));
  double longest = 0;
  for (int step = 0; step < 40; ++step) {
    for (const double length : Lengths(*unit)) EXPECT_NEAR(length, 1, 1e-6) << "before step " << step;
    for (const double length : Lengths(*bounded)) EXPECT_LE(length, 0.5 + 1e-6) << "before step " << step;
    for (Learner* learner : {unit.get(), bounded.get(), free.get()}) Train(*learner, step, step + 1);
  }
  Train(*free, 20, 100);
  for (const double length : Lengths(*free)) longest = std::max(longest, length);
  EXPECT_GT(longest, 1.05);
}

TEST_P(RegularisedLearners, AStepFollowsTheGradientOfTheContractiveLoss) {
  const v1::RegularisedSpec spec = Spec([](v1::RegularisedSpec* each) {
    each->set_contraction(0.5f);
    each->set_activation(v1::ACTIVATION_SIGMOID);
    each->set_unit_length(false);
  });
  auto learner = Make(spec);
  const TensorMap before = learner->Parameters().value();
  Rng rng(5);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const StepStatistics statistics = TakeStep(*learner, x.as<float>(), kRows, {kUnits, 1, 0}).value();
  const TensorMap after = learner->Parameters().value();
  KSparseOracle model(before);  // W x + b, and the decoder
  const auto parts = [&] {
    double error = 0, penalty = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      std::vector<double> row(x.as<float>() + i * kWidth, x.as<float>() + (i + 1) * kWidth);
      std::vector<double> h = model.Activities(row.data()), y = model.decoder_bias;
      for (int64_t j = 0; j < kUnits; ++j) {
        h[j] = 1 / (1 + std::exp(-h[j]));
        double length = 0;
        for (int64_t d = 0; d < kWidth; ++d) {
          y[d] += h[j] * model.atoms[j * kWidth + d];
          length += std::pow(model.atoms[j * kWidth + d], 2);
        }
        penalty += 0.5 * std::pow(h[j] * (1 - h[j]), 2) * length / kRows;
      }
      for (int64_t d = 0; d < kWidth; ++d) error += std::pow(y[d] - row[d], 2) / kRows;
    }
    return std::pair(error, penalty);
  };
  EXPECT_NEAR(statistics.squared_errors.at(0) / kRows, parts().first, 1e-5);
  const auto loss = [&] { return parts().first + parts().second; };
  ExpectMovedByTheGradient("atoms", before.at("atoms"), after.at("atoms"), model.atoms, 2e-5, loss);
  ExpectMovedByTheGradient("bias", before.at("bias"), after.at("bias"), model.bias, 2e-5, loss);
  ExpectMovedByTheGradient("decoder_bias", before.at("decoder_bias"), after.at("decoder_bias"), model.decoder_bias,
                           2e-5, loss);
}

TEST_P(RegularisedLearners, EveryStepDrawsNewNoise) {
  auto learner = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_gaussian_noise(0.5f); }));
  Rng rng(5);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  // A rate of 0 leaves the parameters as they are.
  const double first = ErrorOfStep(*learner, x.as<float>(), kRows, {kUnits, 0, 0});
  const double second = ErrorOfStep(*learner, x.as<float>(), kRows, {kUnits, 0, 0});
  EXPECT_NE(first, second);
  auto clean = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_gaussian_noise(0); }));
  const double without = ErrorOfStep(*clean, x.as<float>(), kRows, {kUnits, 0, 0});
  EXPECT_EQ(without, ErrorOfStep(*clean, x.as<float>(), kRows, {kUnits, 0, 0}));
  auto other = Make(Spec([](v1::RegularisedSpec* spec) { spec->set_gaussian_noise(0.5f); }), 2);
  EXPECT_NE(first, ErrorOfStep(*other, x.as<float>(), kRows, {kUnits, 0, 0}));
}

TEST_P(RegularisedLearners, GoesOnFromACheckpointToTheSameBits) {
  for (const v1::RegularisedSpec& spec : Specs()) {
    SCOPED_TRACE(spec.ShortDebugString());
    auto whole = Make(spec);
    Train(*whole, 0, 7);
    const TensorMap half = whole->Checkpoint().value();
    Train(*whole, 7, 15);
    auto resumed = Make(spec);  // of the same seed, which a job's spec keeps
    ASSERT_EQ(resumed->Restore(half), absl::OkStatus());
    Train(*resumed, 7, 15);
    EXPECT_EQ(Bytes(whole->Checkpoint().value()), Bytes(resumed->Checkpoint().value()));
    EXPECT_EQ(Bytes(whole->Parameters().value()), Bytes(resumed->Parameters().value()));
  }
}

TEST_P(RegularisedLearners, RefusesAStateThatIsNotItsOwn) {
  auto learner = Make(Specs().front());
  for (const char* name : {"atoms", "velocity.bias", "rows_seen", "mean_activity", "window.sums", "last_window.rows"}) {
    TensorMap state = learner->Checkpoint().value();
    ASSERT_EQ(state.erase(name), 1u) << name;
    const absl::Status status = learner->Restore(state);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST_P(RegularisedLearners, MeasuresActivity) {
  const v1::RegularisedSpec spec = Spec([](v1::RegularisedSpec* each) { each->set_gaussian_noise(0); });
  auto learner = Make(spec);
  Rng rng(5);
  const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
  const KSparseOracle model(learner->Parameters().value());
  ASSERT_EQ(learner->Step(x.as<float>(), kRows, {kUnits, 0, 0}), absl::OkStatus());
  const TensorMap measured = learner->Parameters().value();
  v1::TrainingStatistics statistics;
  ASSERT_EQ(learner->Describe(&statistics), absl::OkStatus());
  double active = 0, mean = 0, variance = 0;
  for (int64_t j = 0; j < kUnits; ++j) {
    double sum = 0, squares = 0, above = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      const std::vector<double> row(x.as<float>() + i * kWidth, x.as<float>() + (i + 1) * kWidth);
      const double a = model.Activities(row.data())[j];
      sum += a / kRows;
      squares += a * a / kRows;
      above += a > 0 ? 1.0 / kRows : 0;
    }
    EXPECT_NEAR(measured.at("activation_fraction").as<float>()[j], above, 1e-6);
    EXPECT_NEAR(measured.at("pre_activation_mean").as<float>()[j], sum, 1e-5);
    EXPECT_NEAR(measured.at("pre_activation_variance").as<float>()[j], squares - sum * sum, 1e-5);
    active += above / kUnits;
    mean += sum / kUnits;
    variance += (squares - sum * sum) / kUnits;
  }
  EXPECT_NEAR(statistics.activation_fraction(), active, 1e-9);
  EXPECT_NEAR(statistics.mean_pre_activation(), mean, 1e-5);
  EXPECT_NEAR(statistics.pre_activation_variance(), variance, 1e-5);
  EXPECT_EQ(statistics.activity_window_rows(), static_cast<uint64_t>(kRows));
}

TEST_P(RegularisedLearners, MeasuresTheLastWindow) {
  auto learner = Make(Specs().front());
  Rng rng(6);
  const Tensor x = GaussianTensor({5000, kWidth}, 1.0, rng);
  v1::TrainingStatistics statistics;
  for (const uint64_t expected : {5000, 10'000, 10'000, 10'000, 10'000}) {
    ASSERT_EQ(learner->Step(x.as<float>(), 5000, {kUnits, 0, 0}), absl::OkStatus());
    ASSERT_EQ(learner->Describe(&statistics), absl::OkStatus());
    EXPECT_EQ(statistics.activity_window_rows(), expected);
  }
}

TEST_P(RegularisedLearners, ReportsDivergence) {
  for (const v1::RegularisedSpec& spec : Specs()) {
    if (spec.unit_length()) continue;  // it cannot run away so easily
    auto learner = Make(spec);
    bool diverged = false;
    for (int step = 0; step < 100 && !diverged; ++step) {
      Rng rng(step);
      const Tensor x = GaussianTensor({kRows, kWidth}, 1.0, rng);
      diverged = !std::isfinite(ErrorOfStep(*learner, x.as<float>(), kRows, {kUnits, 1e20f, 0.9f}));
    }
    EXPECT_TRUE(diverged) << spec.ShortDebugString();
  }
}

TEST(RegularisedKind, CreatesThroughTheRegistry) {
  v1::EncoderSpec spec;
  spec.mutable_regularised()->set_units(20);
  ASSERT_EQ(ResolveEncoder(&spec), absl::OkStatus());
  EXPECT_EQ(EncoderKindName(spec), "regularised");
  v1::ModelDescription model;
  *model.mutable_encoder() = spec;
  EXPECT_EQ(CodeShape(model), Shape{20});
  EXPECT_EQ(RowScores(spec), 20);
  v1::TrainingSpec training;
  training.set_optimiser(v1::OPTIMISER_ADAM);
  const absl::Status refused = ResolveOptimiser(spec, &training);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("with which regularised encoders are trained"));
}

}  // namespace
}  // namespace kwta::regularised_learner_test

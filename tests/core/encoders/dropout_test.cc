#include "core/encoders/dropout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/arrays/safetensors.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/expect_invalid.h"
#include "tests/core/encoders/gradient_check.h"
#include "tests/core/encoders/k_sparse_fixture.h"
#include "tests/core/encoders/take_step.h"

namespace kwta::dropout_test {
namespace {

using testing::HasSubstr;

constexpr int64_t kUnits = 13, kWidth = 8, kRows = 6;
constexpr StepOptions kStill{kUnits, 0, 0};  // a rate of 0 leaves the parameters as they are

void Refuses(void (*set)(v1::DropoutSpec*), const std::string& message) {
  ExpectInvalid<v1::DropoutSpec>(ResolveDropout, set, "encoder.dropout." + message);
}

TEST(DropoutSpec, HasDefaults) {
  v1::DropoutSpec spec;
  ASSERT_EQ(ResolveDropout(&spec), absl::OkStatus());
  EXPECT_EQ(spec.units(), 1000u);
  EXPECT_EQ(spec.activation(), v1::ACTIVATION_RELU);
  EXPECT_EQ(spec.hidden_dropout(), 0.5f);
  EXPECT_EQ(spec.inputs_case(), v1::DropoutSpec::kMaskingNoise);
  EXPECT_EQ(spec.masking_noise(), 0);
  EXPECT_EQ(spec.decoder(), v1::DECODER_LINEAR);
  EXPECT_EQ(spec.weights_case(), v1::DropoutSpec::kUnitLength);
  EXPECT_FALSE(spec.unit_length());
}

TEST(DropoutSpec, RefusesWhatIsOutOfRange) {
  using Spec = v1::DropoutSpec;
  Refuses([](Spec* spec) { spec->set_units(0); }, "units is 0; expected 1 .. 1048576");
  Refuses([](Spec* spec) { spec->set_activation(static_cast<v1::Activation>(9)); }, "activation is 9; expected");
  Refuses([](Spec* spec) { spec->set_hidden_dropout(1); },
          "hidden_dropout is 1; expected 0 .. 1, 1 excluded: dropping everything leaves nothing to learn from");
  Refuses([](Spec* spec) { spec->set_hidden_dropout(-0.5f); }, "hidden_dropout is -0.5; expected");
  Refuses([](Spec* spec) { spec->set_hidden_dropout(NAN); }, "hidden_dropout is nan; expected");
  Refuses([](Spec* spec) { spec->set_masking_noise(1); }, "masking_noise is 1; expected");
  Refuses([](Spec* spec) { spec->set_visible_dropout(1); }, "visible_dropout is 1; expected");
  Refuses([](Spec* spec) { spec->set_visible_dropout(-1); }, "visible_dropout is -1; expected");
  Refuses([](Spec* spec) { spec->set_decoder(static_cast<v1::Decoder>(7)); }, "decoder is 7; expected DECODER_");
  Refuses([](Spec* spec) { spec->set_max_length(0); }, "max_length is 0; expected a finite number above 0");
  Refuses([](Spec* spec) { spec->set_weight_decay(-1); }, "weight_decay is -1; expected a finite number");
}

v1::EncoderSpec Spec(void (*set)(v1::DropoutSpec*)) {
  v1::EncoderSpec spec;
  spec.mutable_dropout()->set_units(kUnits);
  set(spec.mutable_dropout());
  EXPECT_EQ(ResolveEncoder(&spec), absl::OkStatus());
  return spec;
}

std::vector<v1::EncoderSpec> Specs() {
  using S = v1::DropoutSpec;
  return {Spec([](S*) {}), Spec([](S* spec) {
            spec->set_masking_noise(0.3f);
            spec->set_max_length(0.8f);
          }),
          Spec([](S* spec) {
            spec->set_activation(v1::ACTIVATION_SIGMOID);
            spec->set_visible_dropout(0.2f);
            spec->set_decoder(v1::DECODER_SIGMOID);
            spec->set_weight_decay(0.1f);
          })};
}

// Numbers of 0 .. 1.
Tensor UniformTensor(Shape shape, uint64_t seed) {
  Rng rng(seed);
  Tensor tensor(DType::kF32, std::move(shape));
  for (int64_t e = 0; e < tensor.elements(); ++e) tensor.as<float>()[e] = static_cast<float>(rng.Uniform());
  return tensor;
}

std::map<std::string, std::string> Bytes(const TensorMap& tensors) {
  std::map<std::string, std::string> bytes;
  for (const auto& [name, tensor] : tensors) {
    bytes[name] = std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
  }
  return bytes;
}

class DropoutOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Learner> Make(const v1::EncoderSpec& spec, uint64_t seed = 1, int threads = 2,
                                const std::vector<float>& mean = {}) {
    return MakeOrNot(spec, seed, threads, mean).value();
  }
  absl::StatusOr<std::unique_ptr<Learner>> MakeOrNot(const v1::EncoderSpec& spec, uint64_t seed, int threads,
                                                     const std::vector<float>& mean) {
    v1::TrainingSpec training;
    training.set_seed(seed);
    return CreateLearner(spec, {kWidth}, training, CreateAnyBackend(GetParam(), {threads}).value(), mean);
  }
  // Steps from..to of a run on fixed rows.
  static void Train(Learner& learner, int from, int to) {
    for (int step = from; step < to; ++step) {
      const Tensor x = UniformTensor({kRows, kWidth}, 100 + step);
      ASSERT_EQ(learner.Step(x.as<float>(), kRows, {kUnits, 0.02f, 0.9f}), absl::OkStatus());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, DropoutOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(DropoutOnEveryBackend, CodesAreThoseOfNumPy) {
  const TensorMap fixture = ReadSafetensors(KWTA_TEST_DATA "/dropout/codes.safetensors").value().tensors;
  const auto floats = [&fixture](const std::string& name) {
    const Tensor& tensor = fixture.at(name);
    return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  };
  for (const auto& [activation, name] :
       {std::pair(v1::ACTIVATION_RELU, "relu"), std::pair(v1::ACTIVATION_SIGMOID, "sigmoid"),
        std::pair(v1::ACTIVATION_SOFTPLUS, "softplus")}) {
    for (const v1::Decoder decoder : {v1::DECODER_LINEAR, v1::DECODER_SIGMOID}) {
      SCOPED_TRACE(absl::StrCat(name, " ", v1::Decoder_Name(decoder)));
      ModelBundle bundle;
      v1::ModelDescription& description = bundle.description;
      description.set_input_width(9);
      description.set_code_width(11);
      v1::DropoutSpec& spec = *description.mutable_encoder()->mutable_dropout();
      spec.set_units(11);
      spec.set_activation(activation);
      spec.set_decoder(decoder);
      description.mutable_preprocessing()->set_subtract_mean(false);
      for (const char* tensor : {"atoms", "bias", "decoder_bias"}) bundle.tensors[tensor] = fixture.at(tensor).Clone();
      const auto encoder = CreateEncoder(bundle, CreateAnyBackend(GetParam(), {2}).value()).value();
      EXPECT_EQ(encoder->dense_codes(), activation != v1::ACTIVATION_RELU);
      std::vector<float> codes(5 * 11), reconstructed(5 * 9);
      const RowsView rows = fixture.at("rows").rows();
      ASSERT_EQ(encoder->EncodeDense(rows, 11, codes.data()), absl::OkStatus());
      ASSERT_EQ(encoder->Reconstruct(rows, 11, reconstructed.data()), absl::OkStatus());
      const std::vector<float> expected = floats(absl::StrCat(name, ".codes"));
      for (size_t e = 0; e < codes.size(); ++e) EXPECT_NEAR(codes[e], expected[e], 2e-6) << e;
      const std::vector<float> decoded =
          floats(absl::StrCat(name, decoder == v1::DECODER_LINEAR ? ".linear" : ".squashed"));
      for (size_t e = 0; e < decoded.size(); ++e) EXPECT_NEAR(reconstructed[e], decoded[e], 1e-5) << e;
    }
  }
}

TEST_P(DropoutOnEveryBackend, EveryStepDrawsNewMasks) {
  auto learner = Make(Specs()[0]), same = Make(Specs()[0]), other = Make(Specs()[0], 2);
  const Tensor x = UniformTensor({kRows, kWidth}, 5);
  const double first = ErrorOfStep(*learner, x.as<float>(), kRows, kStill);
  EXPECT_NE(first, ErrorOfStep(*learner, x.as<float>(), kRows, kStill));
  EXPECT_EQ(first, ErrorOfStep(*same, x.as<float>(), kRows, kStill));
  EXPECT_NE(first, ErrorOfStep(*other, x.as<float>(), kRows, kStill));
  auto whole = Make(Spec([](v1::DropoutSpec* spec) { spec->set_hidden_dropout(0); }));
  const double without = ErrorOfStep(*whole, x.as<float>(), kRows, kStill);
  EXPECT_EQ(without, ErrorOfStep(*whole, x.as<float>(), kRows, kStill));
}

// A linear decoder is linear in the codes, so the mean of its output under dropout is its output for all units.
TEST_P(DropoutOnEveryBackend, KeptUnitsAreScaledSoThatTheMeanStays) {
  auto dropping = Make(Spec([](v1::DropoutSpec* spec) { spec->set_hidden_dropout(0.5f); }));
  auto whole = Make(Spec([](v1::DropoutSpec* spec) { spec->set_hidden_dropout(0); }));
  const KSparseOracle model(whole->Parameters().value());  // W x + b, and the decoder; the same weights in both
  const Tensor x = UniformTensor({1, kWidth}, 5);
  constexpr int kDraws = 4000;
  std::vector<float> rows;
  for (int i = 0; i < kDraws; ++i) rows.insert(rows.end(), x.as<float>(), x.as<float>() + kWidth);
  // The error is that of the mean plus the variance of the outputs, which is the sum of h^2 |w|^2 for a half dropped.
  const double expected = ErrorOfStep(*whole, rows.data(), kDraws, kStill) / kDraws;
  const std::vector<double> row(rows.begin(), rows.begin() + kWidth);
  const std::vector<double> a = model.Activities(row.data());
  double variance = 0;
  for (int64_t j = 0; j < kUnits; ++j) {
    for (int64_t d = 0; d < kWidth; ++d) variance += std::pow(std::max(a[j], 0.0) * model.atoms[j * kWidth + d], 2);
  }
  ASSERT_GT(variance, 0.1);
  EXPECT_NEAR(ErrorOfStep(*dropping, rows.data(), kDraws, kStill) / kDraws, expected + variance, 0.05 * variance);
}

TEST_P(DropoutOnEveryBackend, GoesOnFromACheckpointToTheSameBits) {
  for (const v1::EncoderSpec& spec : Specs()) {
    SCOPED_TRACE(spec.ShortDebugString());
    auto whole = Make(spec);
    Train(*whole, 0, 7);
    const TensorMap half = whole->Checkpoint().value();
    Train(*whole, 7, 15);
    auto resumed = Make(spec);
    ASSERT_EQ(resumed->Restore(half), absl::OkStatus());
    Train(*resumed, 7, 15);
    EXPECT_EQ(Bytes(whole->Checkpoint().value()), Bytes(resumed->Checkpoint().value()));
    EXPECT_EQ(Bytes(whole->Parameters().value()), Bytes(resumed->Parameters().value()));
  }
}

TEST_P(DropoutOnEveryBackend, ThreadsDoNotChangeABit) {
  for (const v1::EncoderSpec& spec : Specs()) {
    auto one = Make(spec, 1, 1), two = Make(spec, 1, 2);
    Train(*one, 0, 5);
    Train(*two, 0, 5);
    EXPECT_EQ(Bytes(one->Checkpoint().value()), Bytes(two->Checkpoint().value())) << spec.ShortDebugString();
  }
}

TEST_P(DropoutOnEveryBackend, ASigmoidDecoderNeedsNumbersOfZeroToOne) {
  auto learner = Make(Specs()[2]);
  Tensor x = UniformTensor({kRows, kWidth}, 5);
  x.as<float>()[2 * kWidth + 3] = 1.5f;
  absl::Status status = learner->Step(x.as<float>(), kRows, kStill);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("dimension 3, is 1.5; expected 0 .. 1: a sigmoid decoder reconstructs probabilities"));
  status = MakeOrNot(Specs()[2], 1, 1, std::vector<float>(kWidth, 0.5f)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("subtract_mean is true; expected false"));
}

TEST(DropoutKind, CreatesThroughTheRegistry) {
  v1::EncoderSpec spec;
  spec.mutable_dropout()->set_units(20);
  ASSERT_EQ(ResolveEncoder(&spec), absl::OkStatus());
  EXPECT_EQ(EncoderKindName(spec), "dropout");
  v1::ModelDescription model;
  *model.mutable_encoder() = spec;
  EXPECT_EQ(CodeShape(model), Shape{20});
  EXPECT_EQ(RowScores(spec), 20);
  const TunedCode tuned = DropoutKind().tuned_code(Specs()[2]);
  EXPECT_EQ(tuned.k, 0);
  EXPECT_EQ(tuned.code_dropout, 0.5f);
  EXPECT_EQ(tuned.input_dropout, 0.2f);
  EXPECT_TRUE(tuned.scales_inputs);
  EXPECT_FALSE(DropoutKind().tuned_code(Specs()[1]).scales_inputs);
}

}  // namespace
}  // namespace kwta::dropout_test

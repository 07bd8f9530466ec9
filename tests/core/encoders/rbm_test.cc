#include "core/encoders/rbm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/fast_sigmoid.h"
#include "core/io/arrays/safetensors.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/enumerated_machine.h"
#include "tests/core/encoders/take_step.h"

namespace kwta::rbm_test {
namespace {

using testing::HasSubstr;

class RbmOnEveryBackend : public testing::TestWithParam<std::string> {
 protected:
  static v1::EncoderSpec Spec(const std::function<void(v1::RbmSpec*)>& set) {
    v1::EncoderSpec spec;
    spec.mutable_rbm()->set_units(kHidden);
    spec.mutable_rbm()->set_weight_decay(0);
    set(spec.mutable_rbm());
    EXPECT_EQ(ResolveEncoder(&spec), absl::OkStatus());
    return spec;
  }
  // How many samples a mean is taken of, and how far it may be off. A mean of n numbers of 0 .. 1 has a deviation of
  // 0.5 / sqrt(n) at most; four of them for 41 numbers.
  static int Samples() { return IsEmulated(GetParam()) ? 4'500 : 15'000; }
  static double MeanError() { return 4.04 * 0.5 / std::sqrt(Samples()); }
  // Every way to run the chains.
  static std::vector<v1::EncoderSpec> Specs() {
    using S = v1::RbmSpec;
    return {Spec([](S*) {}), Spec([](S* spec) { spec->set_gibbs_steps(3); }),
            Spec([](S* spec) { spec->set_sample_visible(false); }), Spec([](S* spec) {
              spec->set_persistent(true);
              spec->set_chains(11);
              spec->set_weight_decay(0.01f);
            })};
  }
  absl::StatusOr<std::unique_ptr<Learner>> MakeOrNot(const v1::EncoderSpec& spec, uint64_t seed, int threads,
                                                     const std::vector<float>& mean) {
    v1::TrainingSpec training;
    training.set_seed(seed);
    return CreateLearner(spec, {kVisible}, training, CreateAnyBackend(GetParam(), {threads}).value(), mean);
  }
  std::unique_ptr<Learner> Make(const v1::EncoderSpec& spec, uint64_t seed = 1, int threads = 2) {
    return MakeOrNot(spec, seed, threads, {}).value();
  }
  // Gives a learner the parameters of a machine with strong couplings.
  static void SetMachine(Learner& learner) {
    Rng rng(7);
    TensorMap state = learner.Checkpoint().value();
    state["atoms"] = GaussianTensor({kHidden, kVisible}, 1.0, rng);
    state["bias"] = GaussianTensor({kHidden}, 0.5, rng);
    state["decoder_bias"] = GaussianTensor({kVisible}, 0.5, rng);
    *state.at("updates").as<int64_t>() = 1;  // the biases have started
    ASSERT_EQ(learner.Restore(state), absl::OkStatus());
  }
  // Rows of `count` each of some states.
  static std::vector<float> Rows(const std::vector<int>& states, int count) {
    std::vector<float> rows;
    for (int i = 0; i < count; ++i) {
      for (const int state : states) {
        for (int64_t d = 0; d < kVisible; ++d) rows.push_back(static_cast<float>(Bit(state, d)));
      }
    }
    return rows;
  }
  // Expects an update at rate 1 to be the difference of the statistics of data and chains, to within `tolerance`.
  static void ExpectUpdate(const TensorMap& before, const TensorMap& after, const Statistics& data,
                           const Statistics& chains, double tolerance) {
    const auto expect = [&](const char* name, const std::vector<double>& positive,
                            const std::vector<double>& negative) {
      double largest = 0;
      for (size_t e = 0; e < positive.size(); ++e) {
        const double moved = double{after.at(name).as<float>()[e]} - before.at(name).as<float>()[e];
        EXPECT_NEAR(moved, positive[e] - negative[e], tolerance) << name << " " << e;
        largest = std::max(largest, std::fabs(positive[e] - negative[e]));
      }
      EXPECT_GT(largest, 5 * tolerance) << name << " is meant to move";
    };
    expect("atoms", data.hv, chains.hv);
    expect("bias", data.h, chains.h);
    expect("decoder_bias", data.x, chains.x);
  }
  static std::map<std::string, std::string> Bytes(const TensorMap& tensors) {
    std::map<std::string, std::string> bytes;
    for (const auto& [name, tensor] : tensors) {
      bytes[name] = std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
    }
    return bytes;
  }
  static void Train(Learner& learner, int from, int to) {
    for (int step = from; step < to; ++step) {
      const std::vector<float> x = Rows({step % kVisibleStates, 3, 24}, 2);
      ASSERT_EQ(learner.Step(x.data(), 6, {kHidden, 0.1f, 0.9f}), absl::OkStatus());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, RbmOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST(FastSigmoid, IsTheLogisticFunction) {
  for (float a = -80; a <= 80; a += 0.013f) {
    const double expected = Logistic(a);
    ASSERT_NEAR(FastSigmoid(a), expected, 4e-6 * expected) << a;
  }
  EXPECT_EQ(FastSigmoid(0), 0.5f);
  EXPECT_EQ(FastSigmoid(200), 1);
  EXPECT_LT(FastSigmoid(-200), 1e-37f);
  for (const float a : {NAN, INFINITY, -INFINITY}) EXPECT_TRUE(std::isnan(FastSigmoid(a))) << a;
}

TEST_P(RbmOnEveryBackend, CodesAreThoseOfNumPy) {
  const TensorMap fixture = ReadSafetensors(KWTA_TEST_DATA "/rbm/codes.safetensors").value().tensors;
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  description.set_input_width(9);
  description.set_code_width(11);
  description.mutable_encoder()->mutable_rbm()->set_units(11);
  description.mutable_preprocessing()->set_subtract_mean(false);
  for (const char* tensor : {"atoms", "bias", "decoder_bias"}) bundle.tensors[tensor] = fixture.at(tensor).Clone();
  const auto encoder = CreateEncoder(bundle, CreateAnyBackend(GetParam(), {2}).value()).value();
  EXPECT_TRUE(encoder->dense_codes());
  std::vector<float> codes(5 * 11), reconstructed(5 * 9);
  const Tensor& rows = fixture.at("rows");
  ASSERT_EQ(encoder->EncodeDense(rows.rows(), 11, codes.data()), absl::OkStatus());
  ASSERT_EQ(encoder->Reconstruct(rows.rows(), 11, reconstructed.data()), absl::OkStatus());
  for (size_t e = 0; e < codes.size(); ++e) EXPECT_NEAR(codes[e], fixture.at("codes").as<float>()[e], 2e-6) << e;
  for (size_t e = 0; e < reconstructed.size(); ++e) {
    EXPECT_NEAR(reconstructed[e], fixture.at("reconstructions").as<float>()[e], 1e-5) << e;
  }
  const std::vector<double> energies = RbmFreeEnergy(bundle.tensors, rows.as<float>(), 5);
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(energies[i], fixture.at("free_energies").as<float>()[i], 1e-5) << i;
}

TEST_P(RbmOnEveryBackend, FreeEnergyIsThatOfTheEnumeratedMachine) {
  auto learner = Make(Specs()[0]);
  SetMachine(*learner);
  const TensorMap parameters = learner->Parameters().value();
  const Machine machine(parameters);
  for (int visible = 0; visible < kVisibleStates; ++visible) {
    const double energy = RbmFreeEnergy(parameters, Rows({visible}, 1).data(), 1)[0];
    EXPECT_NEAR(energy, -std::log(machine.Weight(visible)), 1e-9) << visible;
  }
}

TEST_P(RbmOnEveryBackend, CdStatisticsAreThoseOfOneExactGibbsStep) {
  const int rows = Samples();
  for (const uint32_t steps : {1, 2}) {
    auto learner = Make(Spec([steps](v1::RbmSpec* spec) { spec->set_gibbs_steps(steps); }));
    SetMachine(*learner);
    const TensorMap before = learner->Parameters().value();
    const Machine machine(before);
    const std::vector<int> states = {1, 22, 30};
    std::vector<double> data(kVisibleStates);
    for (const int state : states) data[state] = 1.0 / static_cast<double>(states.size());
    std::vector<double> chain = data;
    for (uint32_t step = 0; step < steps; ++step) chain = machine.Step(chain);
    const std::vector<float> x = Rows(states, rows / 3);
    ASSERT_EQ(learner->Step(x.data(), rows, {kHidden, 1, 0}), absl::OkStatus());
    ExpectUpdate(before, learner->Parameters().value(), Statistics(machine, data), Statistics(machine, chain),
                 MeanError());
  }
}

TEST_P(RbmOnEveryBackend, PersistentChainsComeToTheModelsOwnDistribution) {
  auto learner = Make(Spec([this](v1::RbmSpec* spec) {
    spec->set_persistent(true);
    spec->set_chains(Samples());
    spec->set_gibbs_steps(20);
  }));
  SetMachine(*learner);
  const std::vector<float> x = Rows({1}, 2);
  ASSERT_EQ(learner->Step(x.data(), 2, {kHidden, 0, 0}), absl::OkStatus());  // 20 steps from nothing
  const TensorMap before = learner->Parameters().value();
  const Machine machine(before);
  ASSERT_EQ(learner->Step(x.data(), 2, {kHidden, 1, 0}), absl::OkStatus());
  std::vector<double> data(kVisibleStates);
  data[1] = 1;
  ExpectUpdate(before, learner->Parameters().value(), Statistics(machine, data), Statistics(machine, machine.Model()),
               MeanError());
}

TEST_P(RbmOnEveryBackend, LearnsADistribution) {
  for (v1::EncoderSpec spec : Specs()) {
    // Samples are drawn on the host: an emulated device has the same products in two of these.
    if (IsEmulated(GetParam()) && (spec.rbm().gibbs_steps() > 1 || !spec.rbm().sample_visible())) continue;
    // A few chains that persist leave one of the patterns together, and the model follows them.
    if (spec.rbm().persistent()) spec.mutable_rbm()->set_chains(200);
    auto learner = Make(spec);
    const std::vector<int> states = {3, 28};  // two patterns and nothing else
    const std::vector<float> x = Rows(states, 10);
    for (int step = 0; step < 400; ++step) {
      ASSERT_EQ(learner->Step(x.data(), 20, {kHidden, 0.1f, 0.5f}), absl::OkStatus());
    }
    const std::vector<double> model = Machine(learner->Parameters().value()).Model();
    EXPECT_GT(model[3] + model[28], 0.6) << spec.ShortDebugString() << ": both have 1/16 at the start";
    EXPECT_GT(std::min(model[3], model[28]), 0.1) << spec.ShortDebugString();
  }
}

TEST_P(RbmOnEveryBackend, VisibleBiasesStartAtTheFirstBatch) {
  auto learner = Make(Specs()[0]);
  const std::vector<float> x = Rows({1, 1, 1, 3}, 25);
  ASSERT_EQ(learner->Step(x.data(), 100, {kHidden, 0, 0}), absl::OkStatus());
  const TensorMap parameters = learner->Parameters().value();
  const float* const c = parameters.at("decoder_bias").as<float>();
  EXPECT_NEAR(Logistic(c[0]), 100.5 / 101, 1e-6);
  EXPECT_NEAR(Logistic(c[1]), 25.5 / 101, 1e-6);
  EXPECT_NEAR(Logistic(c[2]), 0.5 / 101, 1e-6);
}

TEST_P(RbmOnEveryBackend, DecaysItsWeightsAndMeasuresTheGradient) {
  const v1::EncoderSpec decaying = Spec([](v1::RbmSpec* spec) { spec->set_weight_decay(0.25f); });
  auto with = Make(decaying), without = Make(Specs()[0]);
  SetMachine(*with);
  SetMachine(*without);
  const TensorMap before = with->Parameters().value();
  const std::vector<float> x = Rows({1, 22}, 3);
  StepOptions options{kHidden, 1, 0};
  options.measure_gradient = true;
  const StepStatistics statistics = TakeStep(*with, x.data(), 6, options).value();
  ASSERT_EQ(without->Step(x.data(), 6, {kHidden, 1, 0}), absl::OkStatus());
  const TensorMap decayed = with->Parameters().value(), free = without->Parameters().value();
  double squared = 0;
  for (const char* name : {"atoms", "bias", "decoder_bias"}) {
    for (int64_t e = 0; e < decayed.at(name).elements(); ++e) {
      const float start = before.at(name).as<float>()[e];
      const double decay = std::string(name) == "atoms" ? 0.25 * start : 0;
      EXPECT_NEAR(decayed.at(name).as<float>()[e], free.at(name).as<float>()[e] - decay, 1e-6) << name;
      squared += std::pow(double{decayed.at(name).as<float>()[e]} - start, 2);
    }
  }
  EXPECT_NEAR(statistics.gradient_norm.value(), std::sqrt(squared), 1e-5);
  // Each unit that the data turn on with a probability above 0.1.
  const Machine machine(before);
  for (int64_t j = 0; j < kHidden; ++j) {
    EXPECT_EQ(statistics.active_rows[j], 3 * ((machine.HiddenOn(j, 1) > 0.1) + (machine.HiddenOn(j, 22) > 0.1)));
  }
}

TEST_P(RbmOnEveryBackend, DescribesTheFreeEnergyOfTheLastBatch) {
  auto learner = Make(Specs()[0]);
  SetMachine(*learner);
  v1::TrainingStatistics statistics;
  ASSERT_EQ(learner->Describe(&statistics), absl::OkStatus());
  EXPECT_FALSE(statistics.has_free_energy()) << "no batch yet";
  const std::vector<float> x = Rows({9, 22}, 1);
  ASSERT_EQ(learner->Step(x.data(), 2, {kHidden, 0, 0}), absl::OkStatus());
  ASSERT_EQ(learner->Describe(&statistics), absl::OkStatus());
  const Machine machine(learner->Parameters().value());
  EXPECT_NEAR(statistics.free_energy(), -0.5 * std::log(machine.Weight(9) * machine.Weight(22)), 1e-6);
}

TEST_P(RbmOnEveryBackend, GoesOnFromACheckpointToTheSameBits) {
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
    auto other = Make(spec, 2);
    Train(*other, 0, 15);
    EXPECT_NE(Bytes(whole->Parameters().value()), Bytes(other->Parameters().value())) << "of another seed";
  }
}

TEST_P(RbmOnEveryBackend, ThreadsDoNotChangeABit) {
  for (const v1::EncoderSpec& spec : Specs()) {
    auto one = Make(spec, 1, 1), two = Make(spec, 1, 2);
    Train(*one, 0, 5);
    Train(*two, 0, 5);
    EXPECT_EQ(Bytes(one->Checkpoint().value()), Bytes(two->Checkpoint().value())) << spec.ShortDebugString();
  }
}

TEST_P(RbmOnEveryBackend, RefusesAStateThatIsNotItsOwn) {
  auto learner = Make(Specs()[3]);
  for (const char* name : {"atoms", "velocity.bias", "chains", "updates"}) {
    TensorMap state = learner->Checkpoint().value();
    ASSERT_EQ(state.erase(name), 1u) << name;
    const absl::Status status = learner->Restore(state);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST_P(RbmOnEveryBackend, NeedsNumbersOfZeroToOne) {
  auto learner = Make(Specs()[0]);
  for (const float wrong : {-0.1f, 1.01f, 255.0f}) {
    std::vector<float> x = Rows({9}, 2);
    x[kVisible + 2] = wrong;
    const absl::Status status = learner->Step(x.data(), 2, {kHidden, 0.1f, 0});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("dimension 2, is " + absl::StrCat(wrong) + "; expected 0 .. 1: they are the probabilities"));
  }
  const absl::Status status = MakeOrNot(Specs()[0], 1, 1, std::vector<float>(kVisible, 0.5f)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("subtract_mean is true; expected false"));
}

}  // namespace
}  // namespace kwta::rbm_test

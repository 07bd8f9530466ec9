// Which models are placed on the device, and what happens to them when the device fails or is full.
#include "server/placement/model_placer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "server/refusal.h"
#include "server/retry_after.h"
#include "tests/core/encoders/winner_take_all_fixture.h"
#include "tests/server/placement/device_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ModelPlacerTest : public ::testing::Test {
 protected:
  // A server's device of `budget` bytes for models, and its placer.
  void Open(int64_t budget = 0, WhenDeviceIsFull when_full = WhenDeviceIsFull::kCompute, DeviceModels models = {}) {
    serving_ = std::make_shared<ServingDevice>(device_.backend, budget, when_full, [this](const absl::Status& failure) {
      ++failures_;
      failure_ = failure;
    });
    placer_ = std::make_unique<ModelPlacer>(*CreateBackend("reference", {1}), serving_, std::move(models));
  }
  std::shared_ptr<const Encoder> Create(const ModelBundle& model) {
    auto encoder = placer_->Create(model);
    EXPECT_TRUE(encoder.ok()) << encoder.status();
    return encoder.ok() ? *encoder : nullptr;
  }
  static absl::Status Encode(const Encoder& encoder, const Tensor& rows, Codes* codes) {
    return encoder.Encode(rows.rows(), *encoder.ResolveK({}), codes);
  }
  void ExpectCodes(const Encoder& encoder, const ModelBundle& model, const Tensor& rows) {
    Codes codes;
    ASSERT_EQ(Encode(encoder, rows, &codes), absl::OkStatus());
    ExpectSameCodes(codes, ReferenceCodes(model, rows));
  }
  static std::string Device(const Encoder& encoder) { return encoder.placement().device; }
  static std::string Reason(const Encoder& encoder) { return encoder.placement().reason; }

  TestDevice device_;
  int failures_ = 0;
  absl::Status failure_;
  std::shared_ptr<ServingDevice> serving_;
  std::unique_ptr<ModelPlacer> placer_;
};

TEST_F(ModelPlacerTest, ADeviceEncodesWithTheProcessorsBits) {
  Open();
  const ModelBundle model = SmallModel("a");
  const auto encoder = Create(model);
  EXPECT_EQ(Device(*encoder), "device 0");
  EXPECT_THAT(Reason(*encoder), HasSubstr(std::to_string(kSmallModelReserved)));
  const int64_t launches = device_.device->launches;
  ExpectCodes(*encoder, model, SmallRows(5));
  EXPECT_GT(device_.device->launches, launches);
  const DeviceState state = serving_->State();
  EXPECT_EQ(state.batches, 1);
  EXPECT_EQ(state.batches_in_flight, 0);
  EXPECT_EQ(state.models_bytes, kSmallModelReserved);
  EXPECT_GE(state.used_bytes, kSmallModelBytes);
  EXPECT_EQ(state.memory_bytes, int64_t{1} << 30);
}

TEST_F(ModelPlacerTest, FourFifthsOfTheFreeMemoryAreForModels) {
  const auto taken = device_.backend->Allocate(size_t{1} << 29);
  Open();
  EXPECT_EQ(serving_->memory_bytes(), (int64_t{1} << 29) / 5 * 4);
}

TEST_F(ModelPlacerTest, DenseCodesComeFromTheDeviceToo) {
  Open();
  ModelBundle model = RandomWinnerTakeAllModel(FittedWinnerTakeAll({1, 6, 6}), /*subtract_mean=*/false, 3);
  model.description.set_name("maps");
  const auto encoder = Create(model);
  EXPECT_EQ(Device(*encoder), "device 0");
  Rng rng(4);
  const Tensor rows = GaussianTensor({3, 36}, 1, rng);
  ExpectCodes(*encoder, model, rows);
  std::vector<float> dense(3 * encoder->code_width()), expected(dense.size());
  EXPECT_EQ(encoder->EncodeDense(rows.rows(), *encoder->ResolveK({}), dense.data()), absl::OkStatus());
  ToDense(ReferenceCodes(model, rows), expected.data());
  EXPECT_EQ(dense, expected);
  EXPECT_EQ(serving_->State().batches, 2);
}

// Models of each kind whose reconstructions differ in what they decode.
std::vector<ModelBundle> ModelsOfAllForms() {
  std::vector<ModelBundle> models;
  models.push_back(SmallModel("sparse"));
  models.push_back(RandomWinnerTakeAllModel(FittedWinnerTakeAll({1, 3, 4}), /*subtract_mean=*/true, 3));
  models.push_back(SmallModel("sigmoid"));
  models.back().description.mutable_encoder()->mutable_regularised()->set_units(40);
  models.back().description.mutable_encoder()->mutable_regularised()->set_activation(v1::ACTIVATION_SIGMOID);
  EXPECT_EQ(ResolveEncoder(models.back().description.mutable_encoder()), absl::OkStatus());
  return models;
}

TEST_F(ModelPlacerTest, ReconstructionsAreOfTheDevicesCodesWithTheProcessorsBits) {
  Open();
  for (const ModelBundle& model : ModelsOfAllForms()) {
    SCOPED_TRACE(model.description.name());
    const auto encoder = Create(model);
    const auto on_processor = *CreateEncoder(model, *CreateBackend("reference", {1}));
    const int64_t k = *encoder->ResolveK({}), launches = device_.device->launches;
    const uint64_t batches = serving_->State().batches;
    const Tensor rows = SmallRows(2);
    std::vector<float> placed(24), expected(24);
    EXPECT_EQ(encoder->Reconstruct(rows.rows(), k, placed.data()), absl::OkStatus());
    EXPECT_EQ(on_processor->Reconstruct(rows.rows(), k, expected.data()), absl::OkStatus());
    EXPECT_EQ(placed, expected);
    EXPECT_GT(device_.device->launches, launches);
    EXPECT_EQ(serving_->State().batches, batches + 1);
    device_.device->out_of_memory = true;
    EXPECT_EQ(encoder->Reconstruct(rows.rows(), k, placed.data()), absl::OkStatus());
    EXPECT_EQ(placed, expected);
    device_.device->out_of_memory = false;
  }
  EXPECT_EQ(serving_->State().full_fallbacks, 3);
}

TEST_F(ModelPlacerTest, RowsSampledForDriftAreTheProcessors) {
  Open();
  const auto encoder = Create(SmallModel("a"));
  const int64_t calls = device_.device->calls;
  EXPECT_TRUE(encoder->ReconstructAsTrained(SmallRows(1).rows()).ok());
  EXPECT_EQ(device_.device->calls, calls);
}

TEST_F(ModelPlacerTest, WithoutADeviceThereIsNoDetour) {
  ModelPlacer placer(*CreateBackend("reference", {1}), nullptr, {});
  const auto encoder = placer.Create(SmallModel("a"));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_EQ(Reason(**encoder), "");
  EXPECT_EQ(dynamic_cast<const PlacedEncoder*>(encoder->get()), nullptr);
}

TEST_F(ModelPlacerTest, OnlyModelsThatAreNamedArePlaced) {
  Open(0, WhenDeviceIsFull::kCompute, *ParseDeviceModels("a,c"));
  EXPECT_EQ(Device(*Create(SmallModel("a"))), "device 0");
  const auto other = Create(SmallModel("b"));
  EXPECT_EQ(Device(*other), "");
  EXPECT_EQ(Reason(*other), "--device-models does not name it");
  ExpectCodes(*other, SmallModel("b"), SmallRows(3));
}

TEST_F(ModelPlacerTest, UnitsOfEveryActivationArePlaced) {
  Open();
  for (const v1::Activation activation : {v1::ACTIVATION_RELU, v1::ACTIVATION_SIGMOID, v1::ACTIVATION_SOFTPLUS}) {
    ModelBundle model = SmallModel("regularised");
    v1::RegularisedSpec* spec = model.description.mutable_encoder()->mutable_regularised();
    spec->set_units(40);
    spec->set_activation(activation);
    ASSERT_EQ(ResolveEncoder(model.description.mutable_encoder()), absl::OkStatus());
    const auto encoder = Create(model);
    EXPECT_EQ(Device(*encoder), "device 0") << Reason(*encoder);
    const int64_t launches = device_.device->launches;
    ExpectCodes(*encoder, model, SmallRows(3));
    EXPECT_GT(device_.device->launches, launches);
  }
}

TEST_F(ModelPlacerTest, AModelTooLargeForTheBudgetStaysOnTheProcessorOrIsRefused) {
  Open(kSmallModelReserved - 1);
  const ModelBundle model = SmallModel("large");
  const auto encoder = Create(model);
  EXPECT_EQ(Device(*encoder), "");
  EXPECT_THAT(Reason(*encoder),
              AllOf(HasSubstr(std::to_string(kSmallModelReserved) + " bytes"),
                    HasSubstr(std::to_string(kSmallModelReserved - 1)), HasSubstr("--device-memory")));
  ExpectCodes(*encoder, model, SmallRows(3));

  Open(kSmallModelReserved - 1, WhenDeviceIsFull::kRefuse);
  const absl::Status status = placer_->Create(model).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("model 'large'"), HasSubstr("--device-full")));
}

TEST_F(ModelPlacerTest, AFullBudgetKeepsOtherModelsOutUntilOneLeaves) {
  Open(2 * kSmallModelReserved);
  auto a = Create(SmallModel("a")), b = Create(SmallModel("b"));
  const auto c = Create(SmallModel("c"));
  EXPECT_EQ(Device(*a), "device 0");
  EXPECT_EQ(Device(*b), "device 0");
  EXPECT_EQ(Device(*c), "");
  EXPECT_THAT(Reason(*c), AllOf(HasSubstr(std::to_string(2 * kSmallModelReserved)), HasSubstr("are taken")));
  b.reset();
  EXPECT_EQ(serving_->reserved(), kSmallModelReserved);
  EXPECT_EQ(Device(*Create(SmallModel("c"))), "device 0");
}

TEST_F(ModelPlacerTest, ANewerVersionTakesTheMemoryOfAnOlderOne) {
  Open(2 * kSmallModelReserved);
  const auto other = Create(SmallModel("b"));
  const auto older = Create(SmallModel("a", 1));
  const auto newer = Create(SmallModel("a", 2));
  EXPECT_EQ(Device(*other), "device 0");
  EXPECT_EQ(Device(*newer), "device 0");
  EXPECT_EQ(Device(*older), "");
  EXPECT_EQ(Reason(*older), "a newer version took its place on the device");
  EXPECT_EQ(serving_->reserved(), 2 * kSmallModelReserved);
  ExpectCodes(*older, SmallModel("a", 1), SmallRows(3));
  ExpectCodes(*newer, SmallModel("a", 2), SmallRows(3));
}

TEST_F(ModelPlacerTest, VersionsShareTheDeviceIfThereIsRoom) {
  Open(2 * kSmallModelReserved);
  const auto older = Create(SmallModel("a", 1)), newer = Create(SmallModel("a", 2));
  EXPECT_EQ(Device(*older), "device 0");
  EXPECT_EQ(Device(*newer), "device 0");
}

TEST_F(ModelPlacerTest, WhatLeavesTheDeviceLeavesNothingThere) {
  Open();
  // The first copies make buffers that stay.
  for (int model = 0; model < 4; ++model) Create(SmallModel("a")).reset();
  const size_t living = device_.device->living();
  auto encoder = Create(SmallModel("a"));
  EXPECT_GT(device_.device->living(), living);
  encoder.reset();
  EXPECT_EQ(device_.device->living(), living);
  EXPECT_EQ(serving_->reserved(), 0);
}

// The budget says yes and the device says no, wherever in the placing that happens.
TEST_F(ModelPlacerTest, AnAllocationThatFailsLeavesTheModelOnTheProcessor) {
  Open();
  const ModelBundle model = SmallModel("a");
  int failed = 0;
  for (;; ++failed) {
    device_.device->allocations = 0;
    device_.device->fail_allocation = failed + 1;
    auto encoder = Create(model);
    if (!Device(*encoder).empty()) break;
    EXPECT_THAT(Reason(*encoder), HasSubstr("no memory for "));
    EXPECT_EQ(serving_->reserved(), 0);
    ExpectCodes(*encoder, model, SmallRows(3));
    ASSERT_LT(failed, 100);
  }
  EXPECT_GT(failed, 3);
  EXPECT_TRUE(serving_->works());

  Open(0, WhenDeviceIsFull::kRefuse);
  device_.device->out_of_memory = true;
  const absl::Status status = placer_->Create(model).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(serving_->reserved(), 0);
}

TEST_F(ModelPlacerTest, ADeviceWithOtherCodesGetsNoModel) {
  Open();
  device_.device->flips_bits = true;
  const auto encoder = Create(SmallModel("a"));
  EXPECT_EQ(Device(*encoder), "");
  EXPECT_EQ(Reason(*encoder), "its codes there differ from the processor's");
  EXPECT_EQ(serving_->reserved(), 0);
  ExpectCodes(*encoder, SmallModel("a"), SmallRows(3));
}

TEST_F(ModelPlacerTest, ABatchWithoutMemoryIsTheProcessors) {
  Open();
  const ModelBundle model = SmallModel("a");
  const auto encoder = Create(model);
  device_.device->out_of_memory = true;
  ExpectCodes(*encoder, model, SmallRows(5));
  EXPECT_EQ(serving_->State().full_fallbacks, 1);
  EXPECT_EQ(serving_->State().batches, 0);
  EXPECT_EQ(Device(*encoder), "device 0");
  device_.device->out_of_memory = false;
  ExpectCodes(*encoder, model, SmallRows(5));
  EXPECT_EQ(serving_->State().batches, 1);
  EXPECT_EQ(failures_, 0);
}

TEST_F(ModelPlacerTest, ABatchWithoutMemoryIsRefusedIfThatIsAskedFor) {
  Open(0, WhenDeviceIsFull::kRefuse);
  const auto encoder = Create(SmallModel("a"));
  device_.device->out_of_memory = true;
  Codes codes;
  const absl::Status status = Encode(*encoder, SmallRows(5), &codes);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--device-full"), HasSubstr("bytes on the device")));
  EXPECT_TRUE(RetryAfter(status).has_value());
  EXPECT_EQ(RefusalOf(status), Refusal::kDeviceMemory);
  device_.device->out_of_memory = false;
  ExpectCodes(*encoder, SmallModel("a"), SmallRows(5));
}

TEST_F(ModelPlacerTest, AKernelThatFailsMovesEveryModelToTheProcessor) {
  Open();
  const auto a = Create(SmallModel("a")), b = Create(SmallModel("b"));
  const uint64_t changes = b->path_changes();
  device_.device->fail_launch = device_.device->launches + 2;
  ExpectCodes(*a, SmallModel("a"), SmallRows(5));
  EXPECT_EQ(failures_, 1);
  EXPECT_EQ(failure_.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(failure_.message()), AllOf(HasSubstr("AffineTopK"), HasSubstr("an illegal address")));
  for (const Encoder* encoder : {a.get(), b.get()}) {
    EXPECT_EQ(Device(*encoder), "");
    EXPECT_THAT(Reason(*encoder), HasSubstr("the device has failed: device 0 failed in "));
  }
  EXPECT_NE(b->path_changes(), changes) << "which tells the log";
  ExpectCodes(*b, SmallModel("b"), SmallRows(5));
  EXPECT_EQ(failures_, 1);
  const DeviceState state = serving_->State();
  EXPECT_EQ(state.failure, failure_);
  EXPECT_EQ(state.failure_fallbacks, 2);
  const auto later = Create(SmallModel("c"));
  EXPECT_THAT(Reason(*later), HasSubstr("the device has failed"));
  ExpectCodes(*later, SmallModel("c"), SmallRows(5));
}

TEST_F(ModelPlacerTest, ADeviceThatIsLostWhileAModelIsPlacedIsNoReasonToRefuse) {
  Open(0, WhenDeviceIsFull::kRefuse);
  device_.device->lose_at_call = device_.device->calls + 5;
  const auto encoder = Create(SmallModel("a"));
  EXPECT_THAT(Reason(*encoder), HasSubstr("the device has failed: device 0 is lost"));
  EXPECT_EQ(failures_, 1);
  EXPECT_EQ(serving_->reserved(), 0);
  ExpectCodes(*encoder, SmallModel("a"), SmallRows(5));
}

TEST_F(ModelPlacerTest, ADeviceThatIsLostUnderManyCallsCostsNobodyAnAnswer) {
  constexpr int kThreads = 4, kCalls = 12;
  Open();
  const ModelBundle model = SmallModel("a");
  const auto encoder = Create(model);
  const Tensor rows = SmallRows(5);
  const Codes expected = ReferenceCodes(model, rows);
  Codes codes;
  const int64_t before = device_.device->calls;
  ASSERT_EQ(Encode(*encoder, rows, &codes), absl::OkStatus());
  const int64_t calls_of_a_batch = device_.device->calls - before;
  // In the middle of a batch, when about half of them are done.
  device_.device->lose_at_call = device_.device->calls + calls_of_a_batch * kThreads * kCalls / 2 + 3;
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int call = 0; call < kCalls; ++call) {
        Codes own;
        EXPECT_EQ(Encode(*encoder, rows, &own), absl::OkStatus());
        ExpectSameCodes(own, expected);
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kCalls);
  EXPECT_EQ(failures_, 1) << "told once";
  EXPECT_EQ(failure_.code(), absl::StatusCode::kUnavailable);
  const DeviceState state = serving_->State();
  EXPECT_GT(state.batches, 1);
  EXPECT_GT(state.failure_fallbacks, 0);
  EXPECT_EQ(state.batches + state.failure_fallbacks, 1 + kThreads * kCalls);
  EXPECT_EQ(state.batches_in_flight, 0);
}

TEST(DeviceModels, AreReadFromAFlag) {
  EXPECT_TRUE(ParseDeviceModels("all")->Include("a"));
  EXPECT_FALSE(ParseDeviceModels("none")->Include("a"));
  const DeviceModels named = *ParseDeviceModels("a,b.c");
  EXPECT_TRUE(named.Include("a"));
  EXPECT_TRUE(named.Include("b.c"));
  EXPECT_FALSE(named.Include("b"));
  for (const char* wrong : {"", "a,", "a b", ",a"}) {
    const absl::Status status = ParseDeviceModels(wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected all, none or names"));
  }
}

}  // namespace
}  // namespace kwta::server

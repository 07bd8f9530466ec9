// The CUDA backend on a device that fails: what callers are told, and that nothing leaks.
#include <memory>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "gmock/gmock.h"
#include "tests/core/backends/cuda/faulty_device.h"
#include "tests/core/backends/tied_problems.h"

namespace kwta::cuda::faults_test {
namespace {

using testing::HasSubstr;

class Faults : public testing::Test {
 protected:
  Faults() {
    auto device = std::make_unique<FaultyDevice>();
    device_ = device.get();
    backend_ = std::make_unique<CudaBackend>("faulty", std::move(device), Filter::kBf16);
  }

  // A step on a new state. The codes if it succeeds.
  absl::StatusOr<std::vector<int32_t>> Step(TiedState& state, Floats& x, Ints& indices) {
    Floats values(*backend_, 6 * 3);
    Ints active(*backend_, 40);
    Doubles error(*backend_, 1);
    const absl::Status status = backend_->TiedStep({state.dictionary.get(), x.data(), 6, 3, 0.01f, 0.9f, indices.data(),
                                                    values.data(), active.data(), nullptr, error.data(), nullptr});
    if (!status.ok()) return status;
    std::vector<int32_t> codes(18);
    const absl::Status copied = backend_->CopyToHost(indices.data(), codes.data(), codes.size() * sizeof(int32_t));
    if (!copied.ok()) return copied;
    return codes;
  }

  FaultyDevice* device_ = nullptr;
  std::unique_ptr<CudaBackend> backend_;
};

TEST_F(Faults, AnOperationThatFindsNoMemorySaysSoAndLeaksNothingWhereverItHappens) {
  TiedState state(*backend_, 40, 20);
  Floats x(*backend_, Gaussians(6 * 20, 1));
  Ints indices(*backend_, 18);
  const size_t living = device_->living();
  int64_t failures = 0;
  for (;; ++failures) {
    device_->allocations = 0;
    // The first three are the arrays of Step.
    device_->fail_allocation = 4 + failures;
    const absl::StatusOr<std::vector<int32_t>> codes = Step(state, x, indices);
    EXPECT_EQ(device_->living(), living);
    if (codes.ok()) break;
    ASSERT_EQ(codes.status().code(), absl::StatusCode::kResourceExhausted) << codes.status();
    EXPECT_THAT(std::string(codes.status().message()), HasSubstr("TiedStep: no memory for "));
    ASSERT_LT(failures, 100);
  }
  EXPECT_GT(failures, 10);
}

TEST_F(Faults, AStepAfterOneWithoutMemoryIsAsIfNothingHadHappened) {
  TiedState state(*backend_, 40, 20);
  Floats x(*backend_, Gaussians(6 * 20, 1));
  Ints indices(*backend_, 18);
  const std::vector<float> before = state.Stored();
  device_->allocations = 0;
  device_->fail_allocation = 6;  // of FindCodes
  ASSERT_FALSE(Step(state, x, indices).ok());
  EXPECT_EQ(Bits(state.Stored()), Bits(before));
  EXPECT_TRUE(Step(state, x, indices).ok());
}

TEST_F(Faults, AStepWithoutMemoryLeavesToTheNextOneTheAtomsThatWerePutOff) {
  Floats x(*backend_, Gaussians(6 * 20, 1));
  Ints indices(*backend_, 18);
  const auto step = [&](int64_t fail_allocation) {
    TiedState state(*backend_, 40, 20);
    state.atom_velocity.Write(Gaussians(40 * 20, 8, 0.1));
    state.shift.Write(std::vector<float>(40, 0.5f));
    state.decay.Write(std::vector<float>(40, 0.3f));
    state.Refresh();
    device_->allocations = 0;
    device_->fail_allocation = fail_allocation;
    EXPECT_EQ(Step(state, x, indices).ok(), fail_allocation == 0);
    if (fail_allocation != 0) {
      EXPECT_TRUE(Step(state, x, indices).ok());
    }
    return state.Stored();
  };
  const std::vector<float> expected = step(0);
  for (int64_t allocation = 4; allocation < 14; ++allocation) {
    EXPECT_EQ(Bits(step(allocation)), Bits(expected)) << allocation;
  }
}

TEST_F(Faults, AProductThatTheLibraryLacksIsAKernels) {
  constexpr int64_t kSide = 70;  // large enough for the library
  Floats a(*backend_, Gaussians(kSide * kSide, 1)), b(*backend_, Gaussians(kSide * kSide, 2));
  Floats by_library(*backend_, kSide * kSide), by_kernel(*backend_, kSide * kSide);
  ASSERT_EQ(backend_->Gemm({a.data(), b.data(), by_library.data(), kSide, kSide, kSide}), absl::OkStatus());
  EXPECT_EQ(device_->refused_products, 0);
  device_->refuses_products = true;
  ASSERT_EQ(backend_->Gemm({a.data(), b.data(), by_kernel.data(), kSide, kSide, kSide}), absl::OkStatus());
  EXPECT_EQ(device_->refused_products, 1);
  const std::vector<float> expected = by_library.Read(), actual = by_kernel.Read();
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-4) << i;
}

TEST_F(Faults, MoreThanKernelsCanNumberIsRefusedBeforeAnythingIsQueued) {
  Floats some(*backend_, 1);
  Ints indices(*backend_, 1);
  ActiveGradientArgs args;
  args.indices = indices.data();
  args.active_rows = indices.data();
  args.dz = args.x = some.data();
  args.gradient_atoms = args.gradient_bias = some.data();
  args.rows = int64_t{1} << 20;
  args.k = int64_t{1} << 11;
  args.units = args.width = 1;
  const int64_t launches = device_->launches, allocations = device_->allocations;
  absl::Status status = backend_->ActiveGradient(args);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("ActiveGradient: it takes 2147483648 entries of codes"));
  status = backend_->AdamUpdate({some.data(), some.data(), some.data(), some.data(), int64_t{1} << 40, 1, 0.1f});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("blocks of a kernel"));
  EXPECT_EQ(device_->launches, launches);
  EXPECT_EQ(device_->allocations, allocations);
}

TEST_F(Faults, AnArrayThatDoesNotFitIsRefusedInWords) {
  device_->fail_allocation = 1;
  const absl::Status status = backend_->Allocate(123456).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("an array of 123456 bytes on the device"));
}

TEST_F(Faults, AKernelThatFailsIsReportedByTheNextCallThatWaitsAndByEveryOneAfter) {
  TiedState state(*backend_, 40, 20);
  Floats x(*backend_, Gaussians(6 * 20, 1));
  Ints indices(*backend_, 18);
  device_->fail_launch = device_->launches + 3;
  const absl::StatusOr<std::vector<int32_t>> codes = Step(state, x, indices);
  ASSERT_EQ(codes.status().code(), absl::StatusCode::kInternal) << codes.status();
  EXPECT_THAT(std::string(codes.status().message()), HasSubstr("device 0 failed in "));
  EXPECT_THAT(std::string(codes.status().message()), HasSubstr("TiedStep"));
  EXPECT_THAT(std::string(codes.status().message()), HasSubstr("an illegal address"));
  const absl::Status clear = backend_->Clear(x.data(), 4);
  EXPECT_EQ(clear.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(clear.message(), absl::StrCat("Clear: ", codes.status().message()));
  const absl::Status next = backend_->Gemm({x.data(), x.data(), x.data(), 1, 1, 1, false});
  EXPECT_EQ(next.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(next.message()), HasSubstr("Gemm: device 0 failed"));
}

TEST_F(Faults, ALostDeviceIsUnavailableWhereverItHappens) {
  int64_t calls = 0;
  {
    TiedState state(*backend_, 40, 20);
    Floats x(*backend_, Gaussians(6 * 20, 1));
    Ints indices(*backend_, 18);
    device_->calls = 0;
    ASSERT_TRUE(Step(state, x, indices).ok());
    calls = device_->calls;
  }
  ASSERT_GT(calls, 20);
  // The first calls allocate and clear the arrays of Step.
  for (int64_t call = 7; call <= calls; call += 3) {
    auto device = std::make_unique<FaultyDevice>();
    device_ = device.get();
    backend_ = std::make_unique<CudaBackend>("faulty", std::move(device), Filter::kBf16);
    TiedState state(*backend_, 40, 20);
    Floats x(*backend_, Gaussians(6 * 20, 1));
    Ints indices(*backend_, 18);
    device_->calls = 0;
    device_->lose_at_call = call;
    const absl::StatusOr<std::vector<int32_t>> codes = Step(state, x, indices);
    ASSERT_EQ(codes.status().code(), absl::StatusCode::kUnavailable) << "call " << call << ": " << codes.status();
    EXPECT_THAT(std::string(codes.status().message()), HasSubstr("device 0 is lost: it fell off the bus"));
    EXPECT_EQ(backend_->Clear(x.data(), 4).code(), absl::StatusCode::kUnavailable);
  }
}

TEST(LostDevice, MemoryIsNotFreedUnderACopyThatNobodyWaitedFor) {
  int64_t calls_of_a_copy = 1;
  for (int64_t call = 1; call <= calls_of_a_copy; ++call) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      EmulationOptions options;
      options.seed = seed;
      auto device = std::make_unique<FaultyDevice>(options);
      FaultyDevice& faulty = *device;
      CudaBackend backend("faulty", std::move(device), Filter::kNone);
      std::vector<int32_t> back(100);
      const auto copy = [&](Ints& array) {
        return backend.CopyToHost(array.data(), back.data(), back.size() * sizeof(int32_t));
      };
      {
        Ints array(backend, back.size());
        const int64_t before = faulty.calls;
        ASSERT_EQ(copy(array), absl::OkStatus());
        calls_of_a_copy = faulty.calls - before;
        faulty.lose_at_call = faulty.calls + call;
        EXPECT_EQ(copy(array).code(), absl::StatusCode::kUnavailable) << "call " << call;
      }
      EXPECT_EQ(faulty.living(), 0U);
    }
  }
  EXPECT_GT(calls_of_a_copy, 4);
}

TEST(Filter, IsReadFromSettings) {
  EXPECT_EQ(FilterSetting({}).value(), Filter::kAuto);
  EXPECT_EQ(FilterSetting({1, {{"filter", "none"}}}).value(), Filter::kNone);
  EXPECT_EQ(FilterSetting({1, {{"filter", "bf16"}}}).value(), Filter::kBf16);
  const absl::Status status = FilterSetting({1, {{"filter", "sieve"}}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no filter \"sieve\"; expected auto, bf16 or none"));
}

}  // namespace
}  // namespace kwta::cuda::faults_test

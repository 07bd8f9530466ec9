// Copies through pinned buffers: bytes arrive in the order of the calls, whatever the queues do meanwhile.
#include "core/backends/cuda/host_copies.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "gmock/gmock.h"
#include "tests/core/backends/conformance.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"

namespace kwta::cuda::host_copies_test {
namespace {

constexpr size_t kCount = 1000;

std::vector<int32_t> Numbers(int32_t first, size_t count = kCount) {
  std::vector<int32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

std::unique_ptr<CudaBackend> MakeEmulated(uint64_t seed, std::optional<Stream> without_waits = std::nullopt) {
  EmulationOptions options;
  options.seed = seed;
  options.without_waits = without_waits;
  return std::make_unique<CudaBackend>("emulated", std::make_unique<EmulatedDevice>(options), Filter::kNone);
}

TEST(HostCopies, TheHostsBytesMayChangeAsSoonAsACopyReturns) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto backend = MakeEmulated(seed);
    Ints array(*backend, kCount);
    for (int32_t copy = 0; copy < 12; ++copy) {
      std::vector<int32_t> numbers = Numbers(copy);
      ASSERT_EQ(backend->CopyFromHost(numbers.data(), array.data(), kCount * 4), absl::OkStatus());
      std::fill(numbers.begin(), numbers.end(), -1);
    }
    EXPECT_EQ(array.Read(), Numbers(11)) << "seed " << seed;
  }
}

TEST(HostCopies, EachOperationSeesTheCopiesBeforeItAndNoneAfter) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto backend = MakeEmulated(seed);
    constexpr int64_t kSteps = 9;
    // One array takes every batch in turn, as in training; the product with 1 is what a step sees.
    Floats batch(*backend, 64), one(*backend, std::vector<float>{1}), seen(*backend, 64 * kSteps);
    for (int64_t step = 0; step < kSteps; ++step) {
      const std::vector<float> x(64, static_cast<float>(step + 1));
      ASSERT_EQ(backend->CopyFromHost(x.data(), batch.data(), 64 * 4), absl::OkStatus());
      ASSERT_EQ(backend->Gemm({batch.data(), one.data(), seen.data() + 64 * step, 64, 1, 1, false}), absl::OkStatus());
    }
    const std::vector<float> all = seen.Read();
    for (int64_t i = 0; i < 64 * kSteps; ++i) {
      ASSERT_EQ(all[i], static_cast<float>(i / 64 + 1)) << "seed " << seed << ", step " << i / 64;
    }
  }
}

TEST(HostCopies, EveryWaitBetweenQueuesIsNeeded) {
  for (const Stream stream : {Stream::kCompute, Stream::kCopyIn, Stream::kCopyOut}) {
    int64_t wrong = 0;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const auto backend = MakeEmulated(seed, stream);
      std::vector<std::unique_ptr<Ints>> arrays;
      for (int32_t copy = 0; copy < 12; ++copy) {
        arrays.push_back(std::make_unique<Ints>(*backend, kCount));
        arrays.back()->Write(Numbers(copy));
      }
      for (int32_t copy = 0; copy < 12; ++copy) wrong += arrays[copy]->Read() != Numbers(copy);
    }
    EXPECT_GT(wrong, 0) << "without the waits of queue " << static_cast<int>(stream) << " all numbers are right";
  }
}

TEST(HostCopies, CopiesThatAreLargerThanABufferTravelInPieces) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const auto backend = MakeEmulated(seed);
    const std::vector<int32_t> numbers = Numbers(7, 2 * HostCopies::kMostBytes / 4 + 5);
    Ints array(*backend, numbers.size());
    array.Write(numbers);
    EXPECT_EQ(array.Read(), numbers) << "seed " << seed;
  }
}

TEST(HostCopies, ManyThreadsHaveBatchesUnderWay) {
  const auto backend = MakeEmulated(5);
  std::vector<std::thread> threads;
  for (int32_t thread = 0; thread < 12; ++thread) {
    threads.emplace_back([&backend, thread] {
      Ints array(*backend, kCount);
      for (int32_t copy = 0; copy < 10; ++copy) {
        const std::vector<int32_t> numbers = Numbers(1000 * thread + copy);
        array.Write(numbers);
        EXPECT_EQ(array.Read(), numbers);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(HostCopies, ABufferThatFindsNoMemoryIsAskedForAgain) {
  EmulationOptions options;
  options.memory_bytes = 100'000;
  EmulatedDevice device(options);
  HostCopies copies(device);
  void* const memory = device.Allocate(60'000).value();
  const std::vector<char> bytes(60'000, 3);
  EXPECT_EQ(copies.FromHost(bytes.data(), memory, bytes.size()).code(), absl::StatusCode::kResourceExhausted);
  device.Free(memory);
  void* const smaller = device.Allocate(1'000).value();
  EXPECT_EQ(copies.FromHost(bytes.data(), smaller, 1'000), absl::OkStatus());
  std::vector<char> back(1'000);
  EXPECT_EQ(copies.ToHost(smaller, back.data(), back.size()), absl::OkStatus());
  EXPECT_EQ(back, std::vector<char>(1'000, 3));
  device.Free(smaller);
}

}  // namespace
}  // namespace kwta::cuda::host_copies_test

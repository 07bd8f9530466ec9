// The emulation of a device catches what it is there to catch, whatever the order of the threads.
#include <functional>
#include <string>
#include <vector>

#include "core/backends/cuda/kernels/candidates.h"
#include "gmock/gmock.h"
#include "tests/core/backends/cuda/emulation/block.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"
#include "tests/core/backends/cuda/emulation/emulated_thread.h"

namespace kwta::cuda::emulation_test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// What a kernel of two warps and 64 integers of shared memory is told, for each of ten seeds.
void ExpectEach(const std::function<void(EmulatedThread&)>& kernel, const testing::Matcher<std::string>& message) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    EmulatedBlock block(seed);
    EXPECT_THAT(block.Run(64, 256,
                          [&](int thread) {
                            EmulatedThread emulated(&block, thread, 64, 0);
                            kernel(emulated);
                          }),
                message)
        << "seed " << seed;
  }
}

TEST(EmulatedBlock, BarriersOrderSharedMemory) {
  int sum = 0;
  ExpectEach(
      [&sum](EmulatedThread& t) {
        auto shared = t.Shared<int>(64);
        shared.Set(t.thread(), t.thread());
        t.Barrier();
        const int other = shared.Get(63 - t.thread());
        t.Barrier();
        shared.Set(t.thread(), other);
        if (t.thread() == 7) sum += other;
      },
      IsEmpty());
  EXPECT_EQ(sum, 10 * (63 - 7));
}

TEST(EmulatedBlock, AMissingBarrierBeforeAReadIsCaught) {
  ExpectEach(
      [](EmulatedThread& t) {
        auto shared = t.Shared<int>(64);
        shared.Set(t.thread(), 1);
        shared.Get(63 - t.thread());
      },
      testing::AnyOf(HasSubstr("nobody wrote"), HasSubstr("without a barrier between")));
}

TEST(EmulatedBlock, AMissingBarrierBeforeAWriteIsCaught) {
  ExpectEach(
      [](EmulatedThread& t) {
        auto shared = t.Shared<int>(64);
        shared.Set(t.thread(), 1);
        t.Barrier();
        shared.Get(63 - t.thread());
        shared.Set(t.thread(), 2);
      },
      HasSubstr("without a barrier between"));
}

TEST(EmulatedBlock, AWarpOrdersItsOwnLanesOnly) {
  const auto kernel = [](int distance) {
    return [distance](EmulatedThread& t) {
      auto shared = t.Shared<int>(64);
      shared.Set(t.thread(), 1);
      t.WarpBarrier();
      shared.Get((t.thread() + distance) % 64);
      t.WarpBarrier();
    };
  };
  ExpectEach(kernel(0), IsEmpty());
  ExpectEach(
      [](EmulatedThread& t) {
        auto shared = t.Shared<int>(64);
        shared.Set(t.thread(), 1);
        t.WarpBarrier();
        shared.Get(t.thread() ^ 5);
        t.WarpBarrier();
        shared.Set(t.thread() ^ 9, 3);
      },
      IsEmpty());
  ExpectEach(kernel(32), testing::AnyOf(HasSubstr("nobody wrote"), HasSubstr("without a barrier between")));
}

TEST(EmulatedBlock, AtomicAdditionsNeedNoBarrierAmongThemselves) {
  int total = 0;
  ExpectEach(
      [&total](EmulatedThread& t) {
        auto shared = t.Shared<int>(1);
        if (t.thread() == 0) shared.Set(0, 5);
        t.Barrier();
        shared.Add(0, 2);
        t.Barrier();
        if (t.thread() == 40) total = shared.Get(0);
      },
      IsEmpty());
  EXPECT_EQ(total, 5 + 2 * 64);
  ExpectEach(
      [](EmulatedThread& t) {
        auto shared = t.Shared<int>(1);
        if (t.thread() == 0) shared.Set(0, 5);
        t.Barrier();
        shared.Add(0, 2);
        shared.Get(0);
      },
      HasSubstr("without a barrier between"));
}

TEST(EmulatedBlock, SharedMemoryThatNobodyWroteIsCaught) {
  ExpectEach([](EmulatedThread& t) { t.Shared<int>(64).Get(t.thread()); }, HasSubstr("nobody wrote"));
}

TEST(EmulatedBlock, WhatTheLastBlockWroteCountsForNothing) {
  EmulatedBlock block(1);
  const auto run = [&block](bool write) {
    return block.Run(32, 128, [&](int thread) {
      EmulatedThread t(&block, thread, 32, 0);
      auto shared = t.Shared<int>(32);
      if (write) shared.Set(thread, 1);
      shared.Get(thread);
    });
  };
  EXPECT_THAT(run(true), IsEmpty());
  EXPECT_THAT(run(false), HasSubstr("nobody wrote"));
}

TEST(EmulatedBlock, AccessesOutsideSharedMemoryAreCaught) {
  ExpectEach([](EmulatedThread& t) { t.Shared<int>(64).Set(t.thread() + 1, 1); }, HasSubstr("element 64"));
  ExpectEach([](EmulatedThread& t) { t.Shared<int>(65).Set(t.thread() + 1, 1); }, HasSubstr("of 256 bytes"));
  ExpectEach([](EmulatedThread& t) { t.Shared<int>(64).Get(-1); }, HasSubstr("element -1"));
}

TEST(EmulatedBlock, BarriersThatSomeNeverReachAreCaught) {
  ExpectEach(
      [](EmulatedThread& t) {
        if (t.thread() != 3) t.Barrier();
      },
      HasSubstr("end while others wait"));
  ExpectEach(
      [](EmulatedThread& t) {
        if (t.lane() == 3) {
          t.Barrier();
        } else {
          t.Ballot(true);
        }
      },
      HasSubstr("never reach"));
}

TEST(EmulatedBlock, LanesExchange) {
  ExpectEach(
      [](EmulatedThread& t) {
        EXPECT_EQ(t.ShuffleXor(t.thread(), 5), t.thread() ^ 5);
        EXPECT_EQ(t.ShuffleUp(t.lane(), 3), t.lane() < 3 ? t.lane() : t.lane() - 3);
        EXPECT_EQ(t.Ballot(t.lane() % 2 == 0), 0x55555555u);
        EXPECT_EQ(t.ShuffleXor(t.lane() * 0.5, 1), (t.lane() ^ 1) * 0.5);
      },
      IsEmpty());
}

TEST(EmulatedBlock, AccessesOutsideGlobalMemoryAreCaught) {
  std::vector<float> numbers(64);
  const Global<float> array{numbers.data(), 63};
  ExpectEach([&](EmulatedThread& t) { t.Load(array, t.thread()); }, HasSubstr("reads elements 63 to 64"));
  ExpectEach([&](EmulatedThread& t) { t.Store(array, t.thread() - 1, 1.0f); }, HasSubstr("writes elements -1 to 0"));
  ExpectEach([&](EmulatedThread& t) { t.View(array, 60, 4); }, HasSubstr("views elements 60 to 64"));
  ExpectEach([&](EmulatedThread& t) { t.View(array, 0, 10)[10]; }, HasSubstr("element 10 of a view of 10"));
}

// What a kernel of two blocks of two warps is told that has 128 zeros in global memory.
void ExpectOfBlocks(const std::function<void(EmulatedThread&, const Global<int>&)>& kernel,
                    const testing::Matcher<std::string>& message) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::vector<int> numbers(128);
    EmulatedBlock block(seed);
    block.StartLaunch();
    std::string failure;
    for (const int64_t number : {1, 0}) {
      const std::string& of_block = block.Run(64, 0, [&](int thread) {
        EmulatedThread emulated(&block, thread, 64, number);
        kernel(emulated, {numbers.data(), 128});
      });
      if (failure.empty()) failure = of_block;
    }
    EXPECT_THAT(failure, message) << "seed " << seed;
  }
}

TEST(EmulatedBlock, GlobalMemoryThatThreadsTouchWithoutABarrierBetweenIsCaught) {
  const auto own = [](EmulatedThread& t) { return t.block() * 64 + t.thread(); };
  const auto other = [](EmulatedThread& t, int distance) { return t.block() * 64 + (t.thread() ^ distance); };
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        t.Store(numbers, own(t), t.Load(numbers, own(t)) + 1);
        t.Barrier();
        const int sum = t.Load(numbers, other(t, 1)) + t.View(numbers, t.block() * 64, 64)[t.thread() ^ 40];
        t.Barrier();
        t.Store(numbers, own(t), sum);
      },
      IsEmpty());
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        t.Store(numbers, own(t), 1);
        t.Load(numbers, other(t, 32));
      },
      HasSubstr("without a barrier or the end of a kernel between"));
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        t.View(numbers, t.block() * 64, 64)[t.thread() ^ 3];
        t.Store(numbers, own(t), 1);
      },
      HasSubstr("while another thread"));
  ExpectOfBlocks([](EmulatedThread& t, const Global<int>& numbers) { t.Store(numbers, t.block(), 1); },
                 HasSubstr("writes an element of global memory while another thread writes it"));
}

TEST(EmulatedBlock, BlocksOfALaunchShareNothingButWhatTheyAddToOrOnlyRead) {
  const auto first = [](EmulatedThread& t) { return t.thread() == 0; };
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        if (first(t)) t.Store(numbers, 5, 1);
      },
      HasSubstr("while another thread writes it"));
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        if (first(t) && t.block() == 0) t.Store(numbers, 5, 1);
        if (first(t) && t.block() == 1) t.Load(numbers, 5);
      },
      HasSubstr("while another thread reads it"));
  ExpectOfBlocks(
      [&](EmulatedThread& t, const Global<int>& numbers) {
        if (t.block() == 1) t.AtomicAdd(numbers, 5, 1);
        if (first(t) && t.block() == 0) t.Load(numbers, 5);
      },
      HasSubstr("while threads add to it"));
  ExpectOfBlocks(
      [](EmulatedThread& t, const Global<int>& numbers) {
        t.AtomicAdd(numbers, t.thread() % 3, 1);
        t.Load(numbers, 9);
      },
      IsEmpty());
}

TEST(EmulatedBlock, AWarpsBarrierOrdersMemoryAndAShuffleDoesNot) {
  const auto kernel = [](bool barrier) {
    return [barrier](EmulatedThread& t, const Global<int>& numbers) {
      t.Load(numbers, t.block() * 64 + (t.thread() ^ 1));
      if (barrier) {
        t.WarpBarrier();
      } else {
        t.ShuffleXor(1, 1);
      }
      t.Store(numbers, t.block() * 64 + t.thread(), 1);
    };
  };
  ExpectOfBlocks(kernel(true), IsEmpty());
  ExpectOfBlocks(kernel(false), HasSubstr("while another thread"));
}

TEST(EmulatedBlock, TheNextLaunchComesAfterTheLast) {
  int number = 0;
  const Global<int> array{&number, 1};
  EmulatedBlock block(1);
  const auto run = [&] {
    return block.Run(32, 0, [&](int thread) {
      EmulatedThread t(&block, thread, 32, 0);
      if (thread == 0) t.Store(array, 0, 1);
    });
  };
  block.StartLaunch();
  EXPECT_THAT(run(), IsEmpty());
  block.StartLaunch();
  EXPECT_THAT(run(), IsEmpty());
  EXPECT_THAT(run(), HasSubstr("while another thread writes it"));
}

TEST(EmulatedBlock, TheOrderOfTheThreadsDependsOnTheSeed) {
  const auto order = [](uint64_t seed) {
    std::vector<int> threads;
    EmulatedBlock block(seed);
    block.Run(64, 0, [&](int thread) { threads.push_back(thread); });
    return threads;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
  EXPECT_NE(order(2), order(3));
}

TEST(EmulatedDevice, RefusesLaunchesThatNoDeviceTakes) {
  EmulatedDevice device({});
  FromBytesKernel::Args args;
  EXPECT_EQ(device.Submit("Test", {LaunchOf<FromBytesKernel>(1, 256, args)}), absl::OkStatus());
  for (const int threads : {0, 33, 288}) {
    const absl::Status status = device.Submit("Test", {LaunchOf<FromBytesKernel>(1, threads, args)});
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << threads;
    EXPECT_THAT(std::string(status.message()), HasSubstr("from_bytes: cannot launch"));
  }
}

TEST(EmulatedDevice, AKernelThatFailsIsTheErrorOfALaterCallAndNothingRunsAfterIt) {
  EmulatedDevice device({});
  float* const memory = static_cast<float*>(device.Allocate(64 * sizeof(float)).value());
  const auto* const bytes = static_cast<const uint8_t*>(device.Allocate(63).value());  // one too few
  FromBytesKernel::Args args;
  args.x = {memory, 64};
  args.bytes = {bytes, 63};
  Command clear;
  clear.memory = memory;
  clear.bytes = 64 * sizeof(float);
  EXPECT_EQ(device.Submit("TheOperation", {LaunchOf<FromBytesKernel>(1, 64, args)}).code(), absl::StatusCode::kOk);
  device.Submit("Another", {clear}).IgnoreError();
  const absl::Status status = device.Drain();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("failed in TheOperation: from_bytes: thread 63 of block 0"));
  EXPECT_NE(memory[0], 0) << "not cleared";
  EXPECT_EQ(device.Submit("Another", {clear}), status);
  EXPECT_EQ(device.Allocate(4).status(), status);
  device.Free(memory);
}

TEST(EmulatedDevice, HasNoMoreMemoryThanItSays) {
  EmulationOptions options;
  options.memory_bytes = 1000;
  EmulatedDevice device(options);
  const auto first = device.Allocate(600);
  ASSERT_TRUE(first.ok());
  const auto second = device.Allocate(600);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("600 of 1000 are taken"));
  device.Free(*first);
  const auto third = device.Allocate(1000);
  ASSERT_TRUE(third.ok());
  device.Free(*third);
}

}  // namespace
}  // namespace kwta::cuda::emulation_test

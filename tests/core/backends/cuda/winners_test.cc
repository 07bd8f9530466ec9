// Paths of winner-take-all operations that the conformance suite's shapes do not reach.
#include "core/backends/cuda/kernels/winners.h"

#include <memory>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "gtest/gtest.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"
#include "tests/core/backends/winner_problems.h"

namespace kwta::cuda::winners_test {
namespace {

TEST(ConvPool, ImagesTooWideForTheSharedMemoryOfABlock) {
  constexpr int64_t kWidth = 4000;
  const Pooling pooling{4, 3, 2};
  PoolKernel::Args args;
  args.window = pooling.width;
  args.convolution.shape.width = kWidth;
  ASSERT_GT(PoolKernel::SharedBytes(args, 0), 48 * 1024) << "the case is meant to be too wide";
  auto device = std::make_unique<EmulatedDevice>(EmulationOptions());
  EmulatedDevice& emulated = *device;
  CudaBackend backend("emulated", std::move(device), Filter::kAuto);
  const WinnerProblem problem = RandomWinnerProblem({{2, 1, 3, kWidth}, 2, 3});
  EXPECT_EQ(Bits(RunConvPool(backend, problem, pooling)),
            Bits(RunConvPool(*MakeBackend("reference", 1), problem, pooling)));
  EXPECT_EQ(emulated.counts().count("pool"), 0);
  EXPECT_EQ(emulated.counts().at("pool_activities").launches, 1);
}

}  // namespace
}  // namespace kwta::cuda::winners_test

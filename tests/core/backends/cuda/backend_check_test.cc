// kwta-backend-check finds nothing wrong with the kernels, and something with faulty ones.
#include "core/backends/cuda/check/backend_check.h"

#include <memory>
#include <sstream>
#include <string>

#include "core/backends/cuda/cuda_backend.h"
#include "gmock/gmock.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"

namespace kwta::cuda::backend_check_test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(BackendCheck, FindsNothingWrongWithTheEmulatedDevice) {
  CudaBackend backend("emulated", std::make_unique<EmulatedDevice>(EmulationOptions()), Filter::kAuto);
  std::ostringstream out;
  const absl::StatusOr<int64_t> wrong = CheckBackend(backend, {false}, out);
  ASSERT_TRUE(wrong.ok()) << wrong.status();
  EXPECT_EQ(*wrong, 0) << out.str();
  EXPECT_THAT(out.str(), HasSubstr("affine_top_k_wrong 0\n"));
  EXPECT_THAT(out.str(), HasSubstr("conv_pool_wrong 0\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("per_second")));
}

TEST(BackendCheck, ReturnsTheErrorOfTheDevice) {
  EmulationOptions options;
  options.memory_bytes = 100000;
  CudaBackend backend("emulated", std::make_unique<EmulatedDevice>(options), Filter::kAuto);
  std::ostringstream out;
  EXPECT_EQ(CheckBackend(backend, {false}, out).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace kwta::cuda::backend_check_test

// kwta-backend-check finds nothing wrong with the kernels, and something with faulty ones.
#include "core/backends/cuda/check/backend_check.h"

#include <fstream>
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

// The number of the line of dense.h that has `text`.
int LineOf(const std::string& text) {
  std::ifstream source(KWTA_TEST_DATA "/../../core/backends/cuda/kernels/dense.h");
  int number = 1;
  for (std::string line; std::getline(source, line); ++number) {
    if (line.find(text) != std::string::npos) return number;
  }
  ADD_FAILURE() << "dense.h has no line with " << text;
  return 0;
}

TEST(BackendCheck, FindsNothingWrongWithTheEmulatedDevice) {
  CudaBackend backend("emulated", std::make_unique<EmulatedDevice>(EmulationOptions()), Filter::kAuto);
  std::ostringstream out;
  const absl::StatusOr<int64_t> wrong = CheckBackend(backend, {false}, out);
  ASSERT_TRUE(wrong.ok()) << wrong.status();
  EXPECT_EQ(*wrong, 0) << out.str();
  EXPECT_THAT(out.str(), HasSubstr("affine_top_k_wrong 0\n"));
  for (const char* operation :
       {"conv_pool", "gemm", "active_gradient", "updates", "affine_activation", "regularised_pass",
        "tied_auxiliary_step", "winner_pass", "winner_decode", "conformance"}) {
    EXPECT_THAT(out.str(), HasSubstr(std::string(operation) + "_wrong 0\n"));
  }
  EXPECT_THAT(out.str(), Not(HasSubstr("per_second")));
}

// A backend whose numbers are a little off.
TEST(BackendCheck, CountsWhatAFaultMakesWrong) {
  EmulationOptions options;
  options.mutation = {"dense.h", LineOf("for (int64_t i = t.thread(); t.Below(i, a.x.size); i += t.threads()) sum +="),
                      "narrow"};
  CudaBackend backend("emulated", std::make_unique<EmulatedDevice>(options), Filter::kAuto);
  std::ostringstream out;
  const absl::StatusOr<int64_t> wrong = CheckBackend(backend, {false}, out);
  ASSERT_TRUE(wrong.ok()) << wrong.status();
  EXPECT_GT(*wrong, 0);
  EXPECT_THAT(out.str(), HasSubstr("gemm_wrong 0\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("winner_pass_wrong 0\n")));
  EXPECT_THAT(out.str(), HasSubstr("conformance_wrong " + std::to_string(*wrong) + "\n"));
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

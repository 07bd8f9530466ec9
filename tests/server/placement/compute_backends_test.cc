#include "server/placement/compute_backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/backends/backend_registry.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

// A device that answers would make other tests of these.
bool HasDevice() {
  for (const std::string& name : DeviceBackendNames()) {
    if (CreateBackend(name, BackendOptions()).ok()) return true;
  }
  return false;
}

TEST(ComputeBackends, WithoutADeviceTheBestBackendOfProcessorsComputes) {
  if (HasDevice()) GTEST_SKIP() << "this machine has a device";
  const auto backends = OpenComputeBackends(Options());
  ASSERT_TRUE(backends.ok()) << backends.status();
  EXPECT_EQ(backends->device, nullptr);
  EXPECT_EQ(backends->processor->name(), BackendNames()[DeviceBackendNames().size()]);
  // A build without such a backend has not looked for a device.
  EXPECT_EQ(backends->no_device.ok(), DeviceBackendNames().empty()) << backends->no_device;
}

TEST(ComputeBackends, AProcessorBackendIsTheOneThatIsNamed) {
  Options options;
  options.backend = "reference";
  options.threads = 1;
  const auto backends = OpenComputeBackends(options);
  ASSERT_TRUE(backends.ok()) << backends.status();
  EXPECT_STREQ(backends->processor->name(), "reference");
  EXPECT_EQ(backends->device, nullptr);
  EXPECT_TRUE(backends->no_device.ok());
}

TEST(ComputeBackends, NoModelsOnTheDeviceMeansNoDevice) {
  Options options;
  options.device_models = "none";
  const auto backends = OpenComputeBackends(options);
  ASSERT_TRUE(backends.ok()) << backends.status();
  EXPECT_EQ(backends->device, nullptr);
  EXPECT_TRUE(backends->no_device.ok());
}

TEST(ComputeBackends, ADeviceNeedsABackendThatHasDevices) {
  Options options;
  options.device = 1;
  options.backend = "reference";
  absl::Status status = OpenComputeBackends(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--device 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--backend reference computes on processors"));
  options.backend.clear();
  const auto backends = OpenComputeBackends(options);
  if (DeviceBackendNames().empty()) {
    EXPECT_EQ(backends.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(backends.status().message()), HasSubstr("this build has no backend that computes on a"));
  } else if (!HasDevice()) {
    EXPECT_TRUE(backends.ok()) << backends.status();
  }
}

TEST(ComputeBackends, ANamedBackendIsACondition) {
  Options options;
  options.backend = "abacus";
  EXPECT_EQ(OpenComputeBackends(options).status().code(), absl::StatusCode::kNotFound);
  if (DeviceBackendNames().empty() || HasDevice()) return;
  options.backend = DeviceBackendNames().front();
  EXPECT_EQ(OpenComputeBackends(options).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kwta::server

// Training on a device whose memory runs out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/core/backends/cuda/faulty_device.h"
#include "tests/temporary_directory.h"

namespace kwta::device_memory_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DeviceMemoryTest : public testing::Test {
 protected:
  DeviceMemoryTest() : data_(LoadDataset(Reference(), {{KWTA_TEST_DATA "/datasets"}}).value()) {}

  static v1::DatasetRef Reference() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(120);
    return reference;
  }
  static v1::JobSpec Spec() {
    v1::JobSpec spec;
    spec.set_model("small");
    spec.mutable_encoder()->mutable_k_sparse()->set_units(20);
    spec.mutable_encoder()->mutable_k_sparse()->set_k(3);
    spec.mutable_training()->set_epochs(3);
    spec.mutable_training()->set_batch_size(40);
    spec.mutable_training()->set_learning_rate(0.004f);
    spec.mutable_training()->set_checkpoint_epochs(1);
    *spec.mutable_dataset() = Reference();
    EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
    return spec;
  }
  // The bits of the trained atoms.
  static std::vector<float> Atoms(const ModelBundle& bundle) {
    const Tensor& atoms = bundle.tensors.at("atoms");
    return std::vector<float>(atoms.as<float>(), atoms.as<float>() + atoms.elements());
  }

  // Trains on a device that has no memory any more once so many epochs are done.
  absl::StatusOr<ModelBundle> Run(std::optional<uint32_t> epochs) {
    auto device = std::make_unique<cuda::FaultyDevice>();
    cuda::FaultyDevice* const faulty = device.get();
    TrainingControl control;
    control.checkpoint_directory = directory_.path();
    control.report_seconds = 0;
    control.report = [&](const v1::TrainingProgress& progress) {
      if (epochs.has_value() && progress.epochs_done() >= *epochs) faulty->out_of_memory = true;
    };
    return RunJob(Spec(), std::nullopt, data_,
                  std::make_shared<cuda::CudaBackend>("faulty", std::move(device), cuda::Filter::kAuto), control);
  }

  const Dataset data_;
  const TemporaryDirectory directory_;
};

TEST_F(DeviceMemoryTest, MemoryThatRunsOutFailsTheJobWithSizesAndTheNextRunGoesOn) {
  const absl::Status status = Run(1).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("no memory for "), testing::ContainsRegex("[0-9]+")));
  ASSERT_TRUE(std::filesystem::exists(directory_.File("checkpoint.safetensors")));
  const absl::StatusOr<ModelBundle> rest = Run(std::nullopt);
  ASSERT_TRUE(rest.ok()) << rest.status();
  std::filesystem::remove(directory_.File("checkpoint.safetensors"));
  const absl::StatusOr<ModelBundle> whole = Run(std::nullopt);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(Atoms(*rest), Atoms(*whole));
}

TEST_F(DeviceMemoryTest, ADeviceThatIsTooSmallFromTheBeginningSaysWhatItLacks) {
  const absl::Status status = Run(0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

}  // namespace
}  // namespace kwta::device_memory_test

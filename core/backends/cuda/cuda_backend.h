// The CUDA backend: core/backends/backend.h on a Device. Experimental until it has run on one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"
#include "core/backends/cuda/codes.h"
#include "core/backends/cuda/device.h"
#include "core/backends/cuda/host_copies.h"

namespace kwta::cuda {

// Every operation queues its kernels and returns. Copies to the device return once the host's bytes are copied aside,
// and travel while the device computes; copies to the host wait for what was queued before them. Codes have the
// reference's bits: candidates come from products in bfloat16 with a proven bound, and are scored anew in
// FixedOrderDot's order. Gradients are sums in a fixed order, without atomic additions of floats: the same bits in
// every run. Thread-safe: the device works in the order of all threads' calls. Errors: RESOURCE_EXHAUSTED if the
// device's memory is; INTERNAL, with the name of the operation, if a kernel failed; UNAVAILABLE if the device is lost.
// After the last two every call fails.
class CudaBackend final : public Backend {
 public:
  // `name` is what name() says.
  CudaBackend(std::string name, std::unique_ptr<Device> device, Filter filter);

  const char* name() const override { return name_.c_str(); }
  int threads() const override { return 1; }
  bool host_accessible() const override { return false; }
  std::optional<DeviceReport> device_report() const override { return device_->report(); }
  Device& device() { return *device_; }

  absl::StatusOr<Buffer> Allocate(size_t bytes) override;
  absl::Status Clear(void* device, size_t bytes) override;
  absl::Status CopyFromHost(const void* host, void* device, size_t bytes) override;
  absl::Status CopyToHost(const void* device, void* host, size_t bytes) override;

  absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias, int64_t units,
                                                                int64_t width) override;
  absl::Status RefreshDictionary(Dictionary& dictionary) override;
  absl::Status Gemm(const GemmArgs& args) override;
  absl::Status AffineTopK(const AffineTopKArgs& args) override;
  absl::Status SparseDecode(const SparseDecodeArgs& args) override;
  absl::Status ActiveGradient(const ActiveGradientArgs& args) override;
  absl::Status MomentumUpdate(const MomentumUpdateArgs& args) override;
  absl::Status AdamUpdate(const AdamUpdateArgs& args) override;

  absl::Status ConvWinners(const ConvWinnersArgs& args) override;
  absl::Status WinnerDecode(const WinnerDecodeArgs& args) override;
  absl::Status WinnerPass(const WinnerPassArgs& args) override;
  absl::Status ConvPool(const ConvPoolArgs& args) override;
  absl::Status AffineActivation(const AffineActivationArgs& args) override;
  absl::Status RegularisedPass(const RegularisedPassArgs& args) override;

  absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& parameters) override;
  absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) override;
  absl::Status TiedStep(const TiedStepArgs& args) override;
  absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) override;
  absl::Status TiedAtoms(const TiedAtomsArgs& args) override;

 private:
  const std::string name_;
  const std::unique_ptr<Device> device_;
  HostCopies copies_{*device_};
  const Filter filter_;
};

// Reads the setting "filter": auto, bf16 or none. INVALID_ARGUMENT if it is something else.
absl::StatusOr<Filter> FilterSetting(const BackendOptions& options);

}  // namespace kwta::cuda

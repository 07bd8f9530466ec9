// The base of the backends that compute on the processor: it holds the host's memory and composes some operations from
// others.
#pragma once

#include <cstddef>
#include <memory>

#include "core/backends/backend.h"
#include "core/backends/host_operations.h"
#include "core/base/aligned_memory.h"

namespace kwta {

// Allocates `bytes` (may be 0) of uninitialised memory as AllocateArray does. Errors: RESOURCE_EXHAUSTED.
absl::StatusOr<Buffer> AllocateHost(size_t bytes, Pages pages);
// The same, zeroed, in large pages.
absl::StatusOr<Buffer> AllocateHostZeroed(size_t bytes);

// What every processor backend shares. Operations are complete when they return. Thread-safe.
class HostBackend : public Backend {
 public:
  // The operations that compositions use, besides Backend's.
  virtual absl::Status SparseResidual(const SparseResidualArgs& args) = 0;
  virtual absl::Status SparseGradient(const SparseGradientArgs& args) = 0;
  virtual absl::Status WinnerResidual(const WinnerResidualArgs& args) = 0;
  virtual absl::Status WinnerGradient(const WinnerGradientArgs& args) = 0;

  bool host_accessible() const final { return true; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) final { return AllocateHost(bytes, Pages::kLarge); }
  absl::Status Clear(void* device, size_t bytes) final;
  absl::Status CopyFromHost(const void* host, void* device, size_t bytes) final;
  absl::Status CopyToHost(const void* device, void* host, size_t bytes) final;

  absl::Status SparseDecode(const SparseDecodeArgs& args) final { return SparseResidual({args, nullptr, nullptr}); }
  absl::Status WinnerDecode(const WinnerDecodeArgs& args) final { return WinnerResidual({args, nullptr, nullptr}); }

  // Compositions: core/backends/winner_composition.h and core/backends/tied_composition.h. A backend overrides those
  // for which it has something better.
  absl::Status WinnerPass(const WinnerPassArgs& args) override;
  absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& parameters) override;
  absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) override;
  absl::Status TiedStep(const TiedStepArgs& args) override;
  absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) override;
  absl::Status TiedAtoms(const TiedAtomsArgs& args) override;
};

}  // namespace kwta

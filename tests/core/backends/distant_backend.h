// A backend whose memory the host cannot look into and that works late, as a device's would: it proves that code
// written against Backend copies where it must and waits where it must. Operations are the reference's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta {

// Every array that an operation is given must lie in memory that this backend allocated, else the test fails; reading
// or writing such memory ends the program; it holds NaN until something is written. Operations run when CopyToHost,
// CopyFromHost or Prepare... need them to have run, and what fails in them fails there. Thread-safe.
class DistantBackend final : public Backend {
 public:
  DistantBackend();
  ~DistantBackend() override;

  const char* name() const override { return "distant"; }
  int threads() const override { return 1; }
  bool host_accessible() const override { return false; }

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

  // How often somebody waited for operations that had been asked for.
  int waits() const {
    absl::MutexLock lock(&mutex_);
    return waits_;
  }

 private:
  using Operation = std::function<absl::Status()>;

  // Expects [address, address + count elements) to be within one living block.
  template <typename T>
  void Check(const T* address, int64_t count) const {
    CheckBytes(address, static_cast<size_t>(count) * sizeof(T));
  }
  void CheckBytes(const void* address, size_t bytes) const;
  void CheckFilters(const float* address, int64_t maps, int64_t size, const ImageBatch& images) const;
  void CheckParameters(const TiedParameters& parameters) const;
  void CheckWinners(const ConvWinnersArgs& args) const;

  absl::Status Later(Operation operation);
  // Does what was put off, and then `operation`.
  absl::Status Now(const Operation& operation);
  // Lets operations read and write all memory, or nobody.
  void Open(bool open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(char* memory, size_t mapped);

  const std::shared_ptr<Backend> reference_;
  mutable absl::Mutex mutex_;
  // Living, and the bytes of each.
  std::map<const char*, size_t> blocks_ ABSL_GUARDED_BY(mutex_);
  // These, and those that operations that were put off may use.
  std::map<char*, size_t> mapped_ ABSL_GUARDED_BY(mutex_);
  std::deque<Operation> put_off_ ABSL_GUARDED_BY(mutex_);
  int waits_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The names of the registry's backends, but those whose device this machine lacks.
std::vector<std::string> RunnableBackendNames();
// These, "distant", and "emulated": the CUDA backend on an emulated device.
std::vector<std::string> AllBackendNames();
// Whether its kernels run on an emulated device, where a small part of the work shows as much: each step launches the
// same kernels, which do not depend on how long a training is.
inline bool IsEmulated(const std::string& name) { return name == "emulated"; }
// As CreateBackend, of any of these.
absl::StatusOr<std::shared_ptr<Backend>> CreateAnyBackend(const std::string& name, const BackendOptions& options);

}  // namespace kwta

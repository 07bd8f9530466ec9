#include "core/backends/host_backend.h"

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/backends/tied_composition.h"
#include "core/backends/winner_composition.h"
#include "core/base/aligned_memory.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// No process can address more on today's processors: a larger size is a mistake, not a request.
constexpr size_t kMaxBytes = size_t{1} << 47;

}  // namespace

absl::StatusOr<Buffer> AllocateHost(size_t bytes, Pages pages) {
  if (bytes == 0) return Buffer();
  void* memory = nullptr;
  if (bytes <= kMaxBytes) memory = AllocateArray(bytes, pages);
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for an array of ", bytes, " bytes; use fewer units or smaller batches"));
  }
  return Buffer(memory, bytes, [](void* data) { std::free(data); });
}

absl::StatusOr<Buffer> AllocateHostZeroed(size_t bytes) {
  KWTA_ASSIGN_OR_RETURN(Buffer buffer, AllocateHost(bytes, Pages::kLarge));
  if (bytes > 0) std::memset(buffer.as<void>(), 0, bytes);
  return buffer;
}

absl::Status HostBackend::Clear(void* device, size_t bytes) {
  if (bytes > 0) std::memset(device, 0, bytes);
  return absl::OkStatus();
}

absl::Status HostBackend::CopyFromHost(const void* host, void* device, size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
  return absl::OkStatus();
}

absl::Status HostBackend::CopyToHost(const void* device, void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
  return absl::OkStatus();
}

absl::Status HostBackend::WinnerPass(const WinnerPassArgs& args) { return ComposeWinnerPass(*this, args); }

absl::StatusOr<std::unique_ptr<TiedDictionary>> HostBackend::PrepareTiedDictionary(const TiedParameters& parameters) {
  return std::make_unique<TiedDictionary>(parameters);
}

absl::Status HostBackend::RefreshTiedDictionary(TiedDictionary&) { return absl::OkStatus(); }

absl::Status HostBackend::TiedStep(const TiedStepArgs& args) { return ComposeTiedStep(*this, args); }

absl::Status HostBackend::TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) {
  KWTA_RETURN_IF_ERROR(
      ComposeTiedAuxiliaryStep(*this, args,
                               [this](const float* atoms, const float* bias, int64_t units, int64_t width) {
                                 return PrepareDictionary(atoms, bias, units, width);
                               })
          .status());
  return RefreshTiedDictionary(*args.dictionary);
}

absl::Status HostBackend::TiedAtoms(const TiedAtomsArgs& args) {
  ComposeTiedAtoms(args);
  return absl::OkStatus();
}

}  // namespace kwta

#include "core/backends/cuda/host_copies.h"

#include <algorithm>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "core/base/status_macros.h"

namespace kwta::cuda {
namespace {

// So that buffers do not grow again and again.
constexpr size_t kLeastBytes = size_t{64} << 10;

}  // namespace

HostCopies::~HostCopies() {
  absl::MutexLock lock(&mutex_);
  for (const std::unique_ptr<Buffer>& buffer : buffers_) {
    // Of a device that has failed there is nothing to wait for.
    if (buffer->used) device_.Wait(buffer->travelled).IgnoreError();
    if (buffer->staged != nullptr) device_.Free(buffer->staged);
    if (buffer->pinned != nullptr) device_.FreeHost(buffer->pinned);
  }
}

absl::Status HostCopies::FromHost(const void* host, void* memory, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kMostBytes) {
    const size_t now = std::min(kMostBytes, bytes - done);
    KWTA_ASSIGN_OR_RETURN(Buffer* const buffer, Take(true, now));
    const absl::Cleanup give_back = [&] { GiveBack(true, buffer); };
    std::memcpy(buffer->pinned, static_cast<const char*>(host) + done, now);
    KWTA_RETURN_IF_ERROR(FromBuffer(*buffer, static_cast<char*>(memory) + done, now));
  }
  return absl::OkStatus();
}

absl::Status HostCopies::ToHost(const void* memory, void* host, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kMostBytes) {
    const size_t now = std::min(kMostBytes, bytes - done);
    KWTA_ASSIGN_OR_RETURN(Buffer* const buffer, Take(false, now));
    const absl::Cleanup give_back = [&] { GiveBack(false, buffer); };
    KWTA_RETURN_IF_ERROR(ToBuffer(*buffer, static_cast<const char*>(memory) + done, now));
    KWTA_RETURN_IF_ERROR(device_.Wait(buffer->travelled));
    std::memcpy(static_cast<char*>(host) + done, buffer->pinned, now);
  }
  return absl::OkStatus();
}

absl::Status HostCopies::FromBuffer(Buffer& buffer, void* memory, size_t bytes) {
  // The last bytes have left the staged memory before new ones come.
  KWTA_RETURN_IF_ERROR(device_.WaitFor(Stream::kCopyIn, buffer.arrived));
  KWTA_RETURN_IF_ERROR(device_.Copy(Stream::kCopyIn, buffer.pinned, buffer.staged, bytes));
  KWTA_RETURN_IF_ERROR(device_.Record(buffer.travelled, Stream::kCopyIn));
  buffer.used = true;
  KWTA_RETURN_IF_ERROR(device_.WaitFor(Stream::kCompute, buffer.travelled));
  KWTA_RETURN_IF_ERROR(device_.Copy(Stream::kCompute, buffer.staged, memory, bytes));
  return device_.Record(buffer.arrived, Stream::kCompute);
}

absl::Status HostCopies::ToBuffer(Buffer& buffer, const void* memory, size_t bytes) {
  KWTA_RETURN_IF_ERROR(device_.Record(buffer.arrived, Stream::kCompute));
  KWTA_RETURN_IF_ERROR(device_.WaitFor(Stream::kCopyOut, buffer.arrived));
  KWTA_RETURN_IF_ERROR(device_.Copy(Stream::kCopyOut, memory, buffer.pinned, bytes));
  buffer.used = true;
  return device_.Record(buffer.travelled, Stream::kCopyOut);
}

absl::StatusOr<HostCopies::Buffer*> HostCopies::Take(bool in, size_t bytes) {
  Buffer* buffer = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (made_[in] < kBuffers) {
      ++made_[in];
      buffers_.push_back(std::make_unique<Buffer>());
      free_[in].push_front(buffers_.back().get());
    }
    const auto any = [this, in]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !free_[in].empty(); };
    mutex_.Await(absl::Condition(&any));
    buffer = free_[in].front();
    free_[in].pop_front();
  }
  const absl::Status prepared = Prepare(in, bytes, buffer);
  if (prepared.ok()) return buffer;
  GiveBack(in, buffer);
  return prepared;
}

absl::Status HostCopies::Prepare(bool in, size_t bytes, Buffer* buffer) {
  if (buffer->travelled < 0) {
    KWTA_ASSIGN_OR_RETURN(buffer->travelled, device_.CreateEvent());
  }
  if (buffer->arrived < 0) {
    KWTA_ASSIGN_OR_RETURN(buffer->arrived, device_.CreateEvent());
  }
  if (buffer->used) KWTA_RETURN_IF_ERROR(device_.Wait(buffer->travelled));
  if (buffer->bytes >= bytes) return absl::OkStatus();
  buffer->bytes = 0;
  if (buffer->pinned != nullptr) device_.FreeHost(buffer->pinned);
  if (buffer->staged != nullptr) device_.Free(buffer->staged);
  buffer->pinned = buffer->staged = nullptr;
  size_t room = kLeastBytes;
  while (room < bytes) room *= 2;
  KWTA_ASSIGN_OR_RETURN(void* const pinned, device_.AllocateHost(room));
  buffer->pinned = static_cast<char*>(pinned);
  if (in) {
    KWTA_ASSIGN_OR_RETURN(void* const staged, device_.Allocate(room));
    buffer->staged = static_cast<char*>(staged);
    // The queue of copies may use it from here on.
    KWTA_RETURN_IF_ERROR(device_.Record(buffer->arrived, Stream::kCompute));
  }
  buffer->bytes = room;
  return absl::OkStatus();
}

void HostCopies::GiveBack(bool in, Buffer* buffer) {
  absl::MutexLock lock(&mutex_);
  free_[in].push_back(buffer);
}

}  // namespace kwta::cuda

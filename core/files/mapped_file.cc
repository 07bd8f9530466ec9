#include "core/files/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {

// What the signal handler needs to know about a mapping. The handler may run at any time, so mappings are reused and
// never freed.
struct MappedFile::Mapping {
  std::atomic<bool> taken{true};
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};  // 0 if nothing is mapped
  std::atomic<bool> faulted{false};
  Mapping* next = nullptr;

  static std::atomic<Mapping*> first;

  // Returns a mapping that is not taken, or a new one.
  static Mapping* Take() {
    for (Mapping* mapping = first.load(); mapping != nullptr; mapping = mapping->next) {
      bool free = false;
      if (mapping->taken.compare_exchange_strong(free, true)) return mapping;
    }
    Mapping* const added = new Mapping;
    added->next = first.load();
    while (!first.compare_exchange_weak(added->next, added)) {
    }
    return added;
  }

  // If `address` lies in a mapping, puts zeros from its page to the end.
  static bool PutZeros(uintptr_t address) {
    for (Mapping* mapping = first.load(); mapping != nullptr; mapping = mapping->next) {
      const uintptr_t end = mapping->end.load();
      if (address < mapping->begin.load() || address >= end) continue;
      mapping->faulted.store(true);
      const uintptr_t page = address & ~(static_cast<uintptr_t>(getpagesize()) - 1);
      return mmap(reinterpret_cast<void*>(page), end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) != MAP_FAILED;
    }
    return false;
  }
};

std::atomic<MappedFile::Mapping*> MappedFile::Mapping::first{nullptr};
static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may use lock-free atomics only");

namespace {

struct sigaction action_before = {};

}  // namespace

void MappedFile::OnBusError(int signal, siginfo_t* info, void* context) {
  const int error_before = errno;
  // Only a fault has an address; a signal that somebody sends has none.
  const bool is_ours = info->si_code > 0 && Mapping::PutZeros(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = error_before;
  if (is_ours) return;
  if ((action_before.sa_flags & SA_SIGINFO) != 0) {
    action_before.sa_sigaction(signal, info, context);
  } else if (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN) {
    action_before.sa_handler(signal);
  } else {
    // The signal arrives on return, and the previous action handles it.
    sigaction(SIGBUS, &action_before, nullptr);
    raise(signal);
  }
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  static const bool handled = [] {
    struct sigaction action = {};
    action.sa_sigaction = &MappedFile::OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    return sigaction(SIGBUS, &action, &action_before) == 0;
  }();
  if (!handled) return absl::InternalError("no handler could be set for SIGBUS");
  KWTA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  MappedFile mapped(std::move(file));
  const size_t size = mapped.file_.size();
  if (size == 0) return mapped;
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, mapped.file_.descriptor(), 0);
  if (memory == MAP_FAILED) return FileError(errno, "map", path);
  mapped.data_ = static_cast<const char*>(memory);
  mapped.size_ = size;
  mapped.mapping_ = Mapping::Take();
  mapped.mapping_->faulted.store(false);
  mapped.mapping_->begin.store(reinterpret_cast<uintptr_t>(memory));
  mapped.mapping_->end.store(reinterpret_cast<uintptr_t>(memory) + size);
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : file_(std::move(other.file_)) {
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  mapping_->end.store(0);
  munmap(const_cast<char*>(data_), size_);
  mapping_->taken.store(false);
}

absl::Status MappedFile::CheckUnchanged() const {
  KWTA_RETURN_IF_ERROR(file_.CheckUnchanged());
  if (mapping_ == nullptr || !mapping_->faulted.load()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("a part of '", file_.path(), "' could not be read: its disk has failed"));
}

}  // namespace kwta

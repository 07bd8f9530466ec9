// Who touched which element of a device's global memory during a launch.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "core/backends/cuda/kernels/global.h"

namespace kwta::cuda {

enum class Access { kRead, kWrite, kAtomic };

// Finds two accesses to the same element, one of them a write, that nothing puts in order: of two blocks of a launch,
// or of two threads of a block without a barrier between them. Atomic accesses need no order among themselves. Elements
// are known by their address: all accesses to an array have its type. Not thread-safe.
class GlobalAccesses {
 public:
  // A moment of a block. Epochs grow with every barrier, and from one block and one launch to the next.
  struct Moment {
    int thread = 0;
    uint32_t epoch = 0;        // of the block
    uint32_t warp_epoch = 0;   // of the thread's warp
    uint32_t first_epoch = 0;  // of this block
  };

  // A launch begins, whose epochs are from `first_epoch` on.
  void StartLaunch(uint32_t first_epoch);
  // Notes an access. Returns what is wrong with it, or null.
  const char* Note(const void* element, Access access, const Moment& now) {
    Touch& touch = Of(element);
    // Most often the same threads come again, and only to read.
    if (access == Access::kRead && touch.written < launch_ && touch.atomic < launch_ && touch.read == now.epoch &&
        (touch.reader == kMany || (touch.read_warp == now.warp_epoch &&
                                   (touch.reader == now.thread || touch.reader == ManyOf(now.thread / kWarp))))) {
      return nullptr;
    }
    return Check(&touch, access, now);
  }

 private:
  struct Touch {
    uint32_t written = 0, read = 0, atomic = 0;  // epochs
    uint32_t written_warp = 0, read_warp = 0;    // epochs of the warp
    int writer = 0, reader = 0;                  // threads; for readers also those below
    uint32_t others_read = 0;                    // the launch in which an earlier block read it
  };
  // Several readers of one warp, or of several warps.
  static constexpr int kMany = -1;
  static constexpr int ManyOf(int warp) { return -2 - warp; }
  static constexpr int Together(int reader, int thread) {
    const int warp = thread / kWarp;
    if (reader == thread || reader == ManyOf(warp)) return reader;
    return reader >= 0 && reader / kWarp == warp ? ManyOf(warp) : kMany;
  }
  static constexpr uintptr_t kPageBytes = 4096, kGranule = 2;
  static constexpr size_t kRecent = 64;
  // Pages that are remembered from launch to launch: of 16 MiB.
  static constexpr size_t kMostPages = 4096;
  using Page = std::array<Touch, kPageBytes / kGranule>;
  struct Recent {
    uintptr_t number = 0;
    Page* page = nullptr;
  };

  Touch& Of(const void* element) {
    const auto address = reinterpret_cast<uintptr_t>(element);
    Recent& recent = recent_[address / kPageBytes % kRecent];
    if (recent.page == nullptr || recent.number != address / kPageBytes) Find(address / kPageBytes, &recent);
    return (*recent.page)[address % kPageBytes / kGranule];
  }
  void Find(uintptr_t number, Recent* recent);
  const char* Check(Touch* touch, Access access, const Moment& now);
  // Whether a thread of this launch that touched it at `epoch` has done so before `now`.
  bool Before(uint32_t epoch, uint32_t warp_epoch, int thread, const Moment& now) const;

  uint32_t launch_ = 1;
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
  std::array<Recent, kRecent> recent_ = {};
};

}  // namespace kwta::cuda

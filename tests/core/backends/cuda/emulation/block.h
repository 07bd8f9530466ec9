// A block of threads on the processor: each thread is a fiber that runs until it must wait for others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kwta::cuda {

// What the kernels of a launch did, all blocks together.
struct LaunchCounts {
  int64_t launches = 0, blocks = 0;
  int64_t read_bytes = 0, written_bytes = 0;  // global memory, each access counted
  int64_t distinct_bytes = 0;                 // of these, in sectors of 32 bytes, each counted once a block
  int64_t barriers = 0, warp_operations = 0, atomics = 0;
  int64_t operations = 0;  // sums and products of exact kernels
};

// What a kernel does wrong on purpose: "barrier" leaves one out, "widen" and "narrow" move the end of an index by one.
struct Mutation {
  std::string file;  // without its folder
  int line = 0;      // 0: none
  std::string kind;
};

// Runs the threads of one block after another, in an order that `seed` draws anew at every barrier. Finds: accesses
// outside shared memory, reads of shared memory that nobody wrote, two threads that touch the same shared memory
// without a barrier between them of which one writes, barriers that some threads never reach. Keeps the first of these
// as a message. Not thread-safe.
class EmulatedBlock {
 public:
  explicit EmulatedBlock(uint64_t seed);
  ~EmulatedBlock();
  EmulatedBlock(const EmulatedBlock&) = delete;
  EmulatedBlock& operator=(const EmulatedBlock&) = delete;

  // Calls body(thread) in each of `threads` fibers. Returns what went wrong, or nothing.
  const std::string& Run(int threads, int64_t shared_bytes, const std::function<void(int thread)>& body);

  // For the threads.
  void Barrier(int thread);
  bool AnyBarrier(int thread, bool flag);
  // Gives `value` to the other lanes. Returns the values that all 32 gave, until the lane's next call.
  const uint64_t* Exchange(int thread, uint64_t value);
  void Fail(absl::string_view message);
  // Whether [offset, offset + bytes) may be touched as said. Notes the access.
  bool CheckShared(int thread, int64_t offset, int64_t bytes, bool write);
  // An atomic access: it needs no barrier to others of its kind.
  bool CheckSharedAtomic(int thread, int64_t offset);
  char* shared() { return shared_.data(); }
  bool counting() const { return counting_; }
  void CountSectors(const void* address, int64_t bytes);

  void StartCounting() { counting_ = true; }
  LaunchCounts counts;

  // A fault on purpose, to see whether tests find it: at one line of a kernel's source.
  bool mutates() const { return mutation_.line != 0; }
  void Mutate(const Mutation& mutation) { mutation_ = mutation; }
  bool RemovesBarrier(const char* file, int line) const { return Hits(file, line) && mutation_.kind == "barrier"; }
  // By how much the end of an index is off.
  int EndChange(const char* file, int line) const {
    return !Hits(file, line) ? 0 : mutation_.kind == "widen" ? 1 : mutation_.kind == "narrow" ? -1 : 0;
  }

 private:
  struct Member;
  // The last accesses to four bytes of shared memory.
  struct Touch {
    uint32_t written = 0, read = 0, atomic = 0;  // epochs of the block
    uint32_t written_warp = 0, read_warp = 0;    // epochs of the warp
    int writer = 0, reader = 0;                  // threads; for readers also below 0: see block.cc
  };

  static void Enter(void* member);
  // Lets those go on that wait for what has come.
  void ReleaseBlock();
  void ReleaseWarp(int warp);
  void Ended();
  bool Hits(const char* file, int line) const;
  // Whether an access now, by `thread`, is ordered after one by `other` in these epochs.
  bool Ordered(int thread, int other, uint32_t epoch, uint32_t warp_epoch) const;

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Member>> members_;
  const std::function<void(int)>* body_ = nullptr;
  int threads_ = 0, done_ = 0, at_barrier_ = 0;
  std::vector<int> at_warp_;          // lanes of each warp that wait
  std::vector<uint64_t> exchanged_;   // [threads of the largest block, 2]: by thread, then by turn
  std::vector<uint32_t> warp_epoch_;  // of each warp
  uint32_t epoch_ = 1, first_epoch_ = 1;
  bool any_[2] = {};  // flags of this epoch and of the last, by whether it is even
  int64_t shared_bytes_ = 0;
  std::vector<char> shared_;
  std::vector<Touch> touches_;
  std::vector<uint64_t> sectors_;
  bool counting_ = false;
  Mutation mutation_;
  int running_ = -1;        // the thread that runs
  std::vector<int> ready_;  // threads that need not wait, the next one last
  std::string failure_;
};

}  // namespace kwta::cuda

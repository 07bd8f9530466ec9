// A block of threads on the processor: each thread is a fiber that runs until it must wait for others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/backends/cuda/kernels/global.h"
#include "tests/core/backends/cuda/emulation/fiber.h"
#include "tests/core/backends/cuda/emulation/global_accesses.h"

namespace kwta::cuda {

// What the kernels of a launch did, all blocks together.
struct LaunchCounts {
  int64_t launches = 0, blocks = 0;
  int64_t read_bytes = 0, written_bytes = 0;  // global memory, each access counted
  int64_t distinct_bytes = 0;                 // of these, in sectors of 32 bytes, each counted once a block
  int64_t barriers = 0, warp_operations = 0, atomics = 0;
  int64_t operations = 0;  // sums and products of exact kernels
};

// What a kernel does wrong on purpose: "barrier" leaves one out, "widen" and "narrow" move the end of an index by one,
// "tail" moves it down to a whole number of warps.
struct Mutation {
  std::string file;  // without its folder
  int line = 0;      // 0: none
  std::string kind;
};

// The fault that the environment names: KWTA_EMULATION_MUTANT=file:line:kind. None if it names none. Ends the program
// if it is of another form.
Mutation MutationOfEnvironment();

// Runs the threads of one block after another, in an order that `seed` draws anew at every barrier. Finds: accesses
// outside shared memory, reads of shared memory that nobody wrote, two threads that touch the same shared memory
// without a barrier between them of which one writes, the same of global memory, where other blocks of the launch count
// too, and barriers that some threads never reach. Keeps the first of these as a message. A thread has a fiber from its
// first step to its end, which then takes the next one: kernels without barriers never switch. Not thread-safe.
class EmulatedBlock {
 public:
  explicit EmulatedBlock(uint64_t seed);
  ~EmulatedBlock();
  EmulatedBlock(const EmulatedBlock&) = delete;
  EmulatedBlock& operator=(const EmulatedBlock&) = delete;

  // A launch begins: what the blocks of earlier ones touched no longer counts.
  void StartLaunch();
  // Calls body(thread) in each of `threads` fibers. Returns what went wrong, or nothing.
  const std::string& Run(int threads, int64_t shared_bytes, const std::function<void(int thread)>& body);

  // For the threads.
  void Barrier(int thread);
  bool AnyBarrier(int thread, bool flag);
  // Gives `value` to the other lanes. Returns the values that all 32 gave, until the lane's next call. Orders what
  // lanes do with memory only if `orders`: shuffles and ballots do not on a device.
  const uint64_t* Exchange(int thread, uint64_t value, bool orders = false);
  void Fail(absl::string_view message);
  // Whether [offset, offset + bytes) may be touched as said. Notes the access.
  bool CheckShared(int thread, int64_t offset, int64_t bytes, bool write) {
    if (offset < 0 || offset + bytes > shared_bytes_) return FailOutside(thread, offset, bytes);
    const int64_t end = (offset + bytes + kGranule - 1) / kGranule;
    for (int64_t g = offset / kGranule; g < end; ++g) {
      Touch& touch = touches_[g];
      // Nobody wrote since the last barrier: most often all that there is to know.
      const bool calm = touch.written != epoch_ && touch.atomic != epoch_;
      if (!calm || (write ? touch.read == epoch_ : !NoteRead(thread, &touch))) {
        CheckTouch(thread, g, write);
      } else if (write) {
        touch.written = epoch_;
        touch.written_warp = warp_epoch_[thread / kWarp];
        touch.writer = thread;
      }
    }
    return true;
  }
  // An atomic access: it needs no barrier to others of its kind.
  bool CheckSharedAtomic(int thread, int64_t offset);
  // Notes an access of the thread that runs to an element of global memory.
  void NoteGlobal(const void* element, Access access) {
    const char* const wrong = accesses_.Note(
        element, access, {running_, epoch_, warp_epoch_[static_cast<size_t>(running_ / kWarp)], first_epoch_});
    if (wrong != nullptr) FailGlobal(access, wrong);
  }
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
  int64_t EndChange(const char* file, int line, int64_t end) const {
    if (!Hits(file, line)) return 0;
    return mutation_.kind == "widen"    ? 1
           : mutation_.kind == "narrow" ? -1
           : mutation_.kind == "tail"   ? -(end % kWarp)
                                        : 0;
  }

 private:
  enum Waiting : char { kNothing, kBlock, kWarpmates, kDone };
  struct Worker;
  // The last accesses to four bytes of shared memory.
  struct Touch {
    uint32_t written = 0, read = 0, atomic = 0;  // epochs of the block
    uint32_t written_warp = 0, read_warp = 0;    // epochs of the warp
    int writer = 0, reader = 0;                  // threads; for readers also those below
  };
  static constexpr int64_t kGranule = 4;
  // Readers of one element: a thread; ManyOf(warp), several of one warp; kMany, of several warps.
  static constexpr int kMany = -1;
  static constexpr int ManyOf(int warp) { return -2 - warp; }

  // Runs the thread that is to run. Returns who goes on after it.
  static Fiber* RunThread(void* worker);
  // Chooses the thread that runs next, or whoever called Run if none is ready. `free` is a worker without a thread.
  Fiber* Next(Worker* free);
  void Suspend(int thread);
  // Lets those go on that wait for what has come.
  void ReleaseBlock();
  void ReleaseWarp(int warp, bool orders);
  void Ended();
  bool Hits(const char* file, int line) const;
  bool FailOutside(int thread, int64_t offset, int64_t bytes);
  void FailGlobal(Access access, const char* wrong);
  void CheckTouch(int thread, int64_t granule, bool write);
  // Notes a read of what nobody wrote since the last barrier. False: it needs a closer look.
  bool NoteRead(int thread, Touch* touch) const {
    if (touch->read == epoch_) {
      if (touch->reader == kMany) return true;
      if (touch->reader != thread && touch->reader != ManyOf(thread / kWarp)) return false;
    } else {
      if (touch->written < first_epoch_ && touch->atomic < first_epoch_) return false;
      touch->read = epoch_;
      touch->reader = thread;
    }
    touch->read_warp = warp_epoch_[thread / kWarp];
    return true;
  }
  // Whether an access now, by `thread`, is ordered after one by `other` in these epochs.
  bool Ordered(int thread, int other, uint32_t epoch, uint32_t warp_epoch) const;

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> free_;  // those without a thread
  Fiber* outside_ = nullptr;   // whoever called Run
  const std::function<void(int)>* body_ = nullptr;
  // Of each thread: its worker, if it has begun; what it waits for; the turn of its exchanges.
  std::vector<Worker*> worker_of_;
  std::vector<Waiting> waiting_;
  std::vector<char> turn_;
  int threads_ = 0, done_ = 0, at_barrier_ = 0;
  std::vector<int> at_warp_;          // lanes of each warp that wait
  std::vector<uint64_t> exchanged_;   // [threads of the largest block, 2]: by thread, then by turn
  std::vector<uint32_t> warp_epoch_;  // of each warp
  uint32_t epoch_ = 1, first_epoch_ = 1;
  bool any_[2] = {};  // flags of this epoch and of the last, by whether it is even
  int64_t shared_bytes_ = 0;
  std::vector<char> shared_;
  std::vector<Touch> touches_;
  GlobalAccesses accesses_;
  std::vector<uint64_t> sectors_;
  bool counting_ = false;
  Mutation mutation_;
  int running_ = -1;        // the thread that runs
  std::vector<int> ready_;  // threads that need not wait, the next one last
  std::string failure_;
};

}  // namespace kwta::cuda

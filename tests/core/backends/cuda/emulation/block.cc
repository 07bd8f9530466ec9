#include "tests/core/backends/cuda/emulation/block.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kwta::cuda {

Mutation MutationOfEnvironment() {
  Mutation mutation;
  const char* const mutant = std::getenv("KWTA_EMULATION_MUTANT");
  if (mutant == nullptr) return mutation;
  const std::vector<std::string> parts = absl::StrSplit(mutant, ':');
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &mutation.line)) {
    std::cerr << "KWTA_EMULATION_MUTANT is not of the form file:line:kind\n";
    std::abort();
  }
  mutation.file = parts[0];
  mutation.kind = parts[2];
  return mutation;
}

struct EmulatedBlock::Worker {
  Worker(EmulatedBlock* of, int number) : block(of), fiber(RunThread, this, number) {}

  EmulatedBlock* const block;
  Fiber fiber;
};

EmulatedBlock::EmulatedBlock(uint64_t seed) : random_(seed) {}
EmulatedBlock::~EmulatedBlock() = default;

Fiber* EmulatedBlock::RunThread(void* worker) {
  auto* const own = static_cast<Worker*>(worker);
  EmulatedBlock& block = *own->block;
  const int thread = block.running_;
  (*block.body_)(thread);
  block.waiting_[thread] = kDone;
  block.Ended();
  return block.Next(own);
}

Fiber* EmulatedBlock::Next(Worker* free) {
  const bool none = ready_.empty();
  running_ = none ? -1 : ready_.back();
  if (!none) ready_.pop_back();
  Worker* next = none ? nullptr : worker_of_[running_];
  if (none || next != nullptr) {
    if (free != nullptr) free_.push_back(free);
    return none ? outside_ : &next->fiber;
  }
  next = free;
  if (next == nullptr && !free_.empty()) {
    next = free_.back();
    free_.pop_back();
  }
  if (next == nullptr) {
    workers_.push_back(std::make_unique<Worker>(this, static_cast<int>(workers_.size())));
    next = workers_.back().get();
  }
  worker_of_[running_] = next;
  return &next->fiber;
}

void EmulatedBlock::Suspend(int thread) {
  Fiber* const next = Next(nullptr);
  if (running_ != thread) worker_of_[thread]->fiber.SwitchTo(*next);
}

void EmulatedBlock::StartLaunch() { accesses_.StartLaunch(epoch_ + 1); }

const std::string& EmulatedBlock::Run(int threads, int64_t shared_bytes, const std::function<void(int)>& body) {
  failure_.clear();
  body_ = &body;
  threads_ = threads;
  done_ = at_barrier_ = 0;
  const auto warps = static_cast<size_t>(threads / kWarp);
  at_warp_.assign(warps, 0);
  if (warp_epoch_.size() < warps) warp_epoch_.resize(warps, 0);
  if (exchanged_.size() < 2 * static_cast<size_t>(threads)) exchanged_.resize(2 * static_cast<size_t>(threads));
  shared_bytes_ = shared_bytes;
  if (static_cast<int64_t>(shared_.size()) < shared_bytes) shared_.resize(static_cast<size_t>(shared_bytes));
  const auto granules = static_cast<size_t>((shared_bytes + kGranule - 1) / kGranule);
  if (touches_.size() < granules) touches_.resize(granules);
  sectors_.clear();
  worker_of_.assign(static_cast<size_t>(threads), nullptr);
  waiting_.assign(static_cast<size_t>(threads), kBlock);
  turn_.assign(static_cast<size_t>(threads), 0);
  ++counts.blocks;
  ready_.clear();
  running_ = -1;
  ReleaseBlock();
  first_epoch_ = epoch_;
  Fiber outside;
  outside_ = &outside;
  outside.SwitchTo(*Next(nullptr));
  if (done_ < threads_) Fail("some threads wait at a barrier or a warp operation that others never reach");
  for (int thread = 0; thread < threads; ++thread) {
    if (waiting_[thread] == kDone) continue;
    worker_of_[thread]->fiber.Restart();
    free_.push_back(worker_of_[thread]);
  }
  if (counting_) {
    std::sort(sectors_.begin(), sectors_.end());
    counts.distinct_bytes += 32 * (std::unique(sectors_.begin(), sectors_.end()) - sectors_.begin());
  }
  return failure_;
}

void EmulatedBlock::ReleaseBlock() {
  ++epoch_;
  any_[epoch_ % 2] = false;
  at_barrier_ = 0;
  // Another order every time: a step through the threads that meets each once.
  const uint64_t drawn = random_();
  int thread = static_cast<int>(drawn % static_cast<uint64_t>(threads_));
  int stride = static_cast<int>(drawn / 1024 % static_cast<uint64_t>(threads_));
  while (std::gcd(stride, threads_) != 1) ++stride;
  for (int i = 0; i < threads_; ++i) {
    if (waiting_[thread] == kBlock) {
      waiting_[thread] = kNothing;
      if (thread != running_) ready_.push_back(thread);
    }
    thread += stride;
    if (thread >= threads_) thread -= threads_;
  }
}

void EmulatedBlock::ReleaseWarp(int warp, bool orders) {
  at_warp_[warp] = 0;
  if (orders) ++warp_epoch_[warp];
  const int first = static_cast<int>(random_() % kWarp);
  for (int i = 0; i < kWarp; ++i) {
    const int thread = warp * kWarp + (first + i) % kWarp;
    if (waiting_[thread] != kWarpmates) continue;
    waiting_[thread] = kNothing;
    if (thread != running_) ready_.push_back(thread);
  }
}

void EmulatedBlock::Ended() {
  ++done_;
  if (at_barrier_ == 0 || at_barrier_ + done_ < threads_) return;
  Fail("some threads end while others wait at a barrier");
  ReleaseBlock();
}

void EmulatedBlock::Barrier(int thread) {
  ++counts.barriers;
  ++at_barrier_;
  waiting_[thread] = kBlock;
  if (at_barrier_ + done_ == threads_) {
    if (done_ > 0) Fail("some threads end while others wait at a barrier");
    ReleaseBlock();
    return;
  }
  Suspend(thread);
}

bool EmulatedBlock::AnyBarrier(int thread, bool flag) {
  bool& any = any_[epoch_ % 2];
  any |= flag;
  Barrier(thread);
  return any;
}

const uint64_t* EmulatedBlock::Exchange(int thread, uint64_t value, bool orders) {
  const int warp = thread / kWarp, turn = turn_[thread];
  turn_[thread] = static_cast<char>(1 - turn);
  // A lane that is ahead writes into the other half: it cannot be two turns ahead.
  uint64_t* const values = exchanged_.data() + (2 * warp + turn) * kWarp;
  values[thread % kWarp] = value;
  ++counts.warp_operations;
  waiting_[thread] = kWarpmates;
  if (++at_warp_[warp] == kWarp) {
    ReleaseWarp(warp, orders);
  } else {
    Suspend(thread);
  }
  return values;
}

bool EmulatedBlock::Hits(const char* file, int line) const {
  return line == mutation_.line && absl::EndsWith(file, absl::StrCat("/", mutation_.file));
}

void EmulatedBlock::Fail(absl::string_view message) {
  if (failure_.empty()) failure_ = std::string(message);
}

bool EmulatedBlock::Ordered(int thread, int other, uint32_t epoch, uint32_t warp_epoch) const {
  if (epoch != epoch_ || other == thread) return true;
  const int warp = thread / kWarp;
  const bool same_warp = other >= 0 ? other / kWarp == warp : other == ManyOf(warp);
  return same_warp && warp_epoch != warp_epoch_[warp];
}

bool EmulatedBlock::FailOutside(int thread, int64_t offset, int64_t bytes) {
  Fail(absl::StrCat("thread ", thread, " touches bytes ", offset, " to ", offset + bytes, " of ", shared_bytes_,
                    " bytes of shared memory"));
  return false;
}

void EmulatedBlock::FailGlobal(Access access, const char* wrong) {
  const char* const does = access == Access::kRead ? "reads" : access == Access::kWrite ? "writes" : "adds to";
  Fail(absl::StrCat("thread ", running_, " ", does, " an element of global memory while ", wrong,
                    ", without a barrier or the end of a kernel between"));
}

void EmulatedBlock::CheckTouch(int thread, int64_t granule, bool write) {
  const int warp = thread / kWarp;
  Touch& touch = touches_[granule];
  const int64_t byte = granule * kGranule;
  if (!Ordered(thread, touch.writer, touch.written, touch.written_warp) || touch.atomic == epoch_) {
    Fail(absl::StrCat("thread ", thread, write ? " writes" : " reads", " byte ", byte, " of shared memory that thread ",
                      touch.writer, " writes, without a barrier between"));
  }
  if (write) {
    if (!Ordered(thread, touch.reader, touch.read, touch.read_warp)) {
      Fail(absl::StrCat("thread ", thread, " writes byte ", byte,
                        " of shared memory that another reads, without a barrier between"));
    }
    touch.written = epoch_;
    touch.written_warp = warp_epoch_[warp];
    touch.writer = thread;
    return;
  }
  if (touch.written < first_epoch_ && touch.atomic < first_epoch_) {
    Fail(absl::StrCat("thread ", thread, " reads byte ", byte, " of shared memory that nobody wrote"));
  }
  if (touch.read != epoch_ || touch.reader == thread) {
    touch.reader = thread;
  } else if (touch.reader >= 0 && touch.reader / kWarp == warp) {
    touch.reader = ManyOf(warp);
  } else if (touch.reader != ManyOf(warp)) {
    touch.reader = kMany;
  }
  touch.read = epoch_;
  touch.read_warp = warp_epoch_[warp];
}

bool EmulatedBlock::CheckSharedAtomic(int thread, int64_t offset) {
  if (offset < 0 || offset + kGranule > shared_bytes_) {
    Fail(absl::StrCat("thread ", thread, " touches byte ", offset, " of ", shared_bytes_, " bytes of shared memory"));
    return false;
  }
  ++counts.atomics;
  Touch& touch = touches_[offset / kGranule];
  if (!Ordered(thread, touch.writer, touch.written, touch.written_warp) ||
      !Ordered(thread, touch.reader, touch.read, touch.read_warp)) {
    Fail(absl::StrCat("thread ", thread, " adds to byte ", offset,
                      " of shared memory that another touches, without a barrier between"));
  }
  if (touch.written < first_epoch_) Fail("an atomic addition to shared memory that nobody wrote");
  touch.atomic = epoch_;
  return true;
}

void EmulatedBlock::CountSectors(const void* address, int64_t bytes) {
  const uint64_t first = reinterpret_cast<uintptr_t>(address) / 32;
  const uint64_t last = (reinterpret_cast<uintptr_t>(address) + static_cast<uint64_t>(bytes) - 1) / 32;
  for (uint64_t sector = first; sector <= last; ++sector) {
    if (sectors_.empty() || sectors_.back() != sector) sectors_.push_back(sector);
  }
}

}  // namespace kwta::cuda

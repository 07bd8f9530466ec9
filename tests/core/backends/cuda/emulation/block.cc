#include "tests/core/backends/cuda/emulation/block.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/backends/cuda/kernels/global.h"
#include "tests/core/backends/cuda/emulation/fiber.h"

namespace kwta::cuda {
namespace {

// Readers of one element: a thread; kManyOf(warp), several of one warp; kMany, of several warps.
constexpr int kMany = -1;
constexpr int ManyOf(int warp) { return -2 - warp; }

constexpr int64_t kGranule = 4;

}  // namespace

struct EmulatedBlock::Member {
  enum Waiting { kNothing, kBlock, kWarpmates, kDone };

  Member(EmulatedBlock* of, int number) : block(of), thread(number), fiber(EmulatedBlock::Enter, this) {}

  EmulatedBlock* const block;
  const int thread;
  Waiting waiting = kDone;
  int turn = 0;  // of its exchanges
  Fiber fiber;
};

EmulatedBlock::EmulatedBlock(uint64_t seed) : random_(seed) {}
EmulatedBlock::~EmulatedBlock() = default;

void EmulatedBlock::Enter(void* member) {
  Member& own = *static_cast<Member*>(member);
  (*own.block->body_)(own.thread);
  own.waiting = Member::kDone;
  own.block->Ended();
}

const std::string& EmulatedBlock::Run(int threads, int64_t shared_bytes, const std::function<void(int)>& body) {
  failure_.clear();
  body_ = &body;
  threads_ = threads;
  done_ = at_barrier_ = 0;
  while (static_cast<int>(members_.size()) < threads) {
    members_.push_back(std::make_unique<Member>(this, static_cast<int>(members_.size())));
  }
  const auto warps = static_cast<size_t>(threads / kWarp);
  at_warp_.assign(warps, 0);
  if (warp_epoch_.size() < warps) warp_epoch_.resize(warps, 0);
  if (exchanged_.size() < 2 * static_cast<size_t>(threads)) exchanged_.resize(2 * static_cast<size_t>(threads));
  shared_bytes_ = shared_bytes;
  if (static_cast<int64_t>(shared_.size()) < shared_bytes) shared_.resize(static_cast<size_t>(shared_bytes));
  const auto granules = static_cast<size_t>((shared_bytes + kGranule - 1) / kGranule);
  if (touches_.size() < granules) touches_.resize(granules);
  sectors_.clear();
  for (int thread = 0; thread < threads; ++thread) {
    members_[thread]->waiting = Member::kBlock;
    members_[thread]->turn = 0;
  }
  ++counts.blocks;
  ready_.clear();
  running_ = -1;
  ReleaseBlock();
  first_epoch_ = epoch_;
  while (!ready_.empty()) {
    Member& next = *members_[ready_.back()];
    ready_.pop_back();
    running_ = next.thread;
    next.fiber.Resume();
    running_ = -1;
  }
  if (done_ < threads_) Fail("some threads wait at a barrier or a warp operation that others never reach");
  for (int thread = 0; thread < threads; ++thread) {
    if (members_[thread]->waiting != Member::kDone) members_[thread]->fiber.Restart();
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
  for (int i = 0; i < threads_; ++i, thread = (thread + stride) % threads_) {
    if (members_[thread]->waiting != Member::kBlock) continue;
    members_[thread]->waiting = Member::kNothing;
    if (thread != running_) ready_.push_back(thread);
  }
}

void EmulatedBlock::ReleaseWarp(int warp) {
  at_warp_[warp] = 0;
  ++warp_epoch_[warp];
  const int first = static_cast<int>(random_() % kWarp);
  for (int i = 0; i < kWarp; ++i) {
    const int thread = warp * kWarp + (first + i) % kWarp;
    if (members_[thread]->waiting != Member::kWarpmates) continue;
    members_[thread]->waiting = Member::kNothing;
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
  Member& member = *members_[thread];
  ++counts.barriers;
  ++at_barrier_;
  member.waiting = Member::kBlock;
  if (at_barrier_ + done_ == threads_) {
    if (done_ > 0) Fail("some threads end while others wait at a barrier");
    ReleaseBlock();
    return;
  }
  member.fiber.Suspend();
}

bool EmulatedBlock::AnyBarrier(int thread, bool flag) {
  bool& any = any_[epoch_ % 2];
  any |= flag;
  Barrier(thread);
  return any;
}

const uint64_t* EmulatedBlock::Exchange(int thread, uint64_t value) {
  Member& member = *members_[thread];
  const int warp = thread / kWarp, turn = member.turn;
  member.turn = 1 - turn;
  // A lane that is ahead writes into the other half: it cannot be two turns ahead.
  uint64_t* const values = exchanged_.data() + (2 * warp + turn) * kWarp;
  values[thread % kWarp] = value;
  ++counts.warp_operations;
  member.waiting = Member::kWarpmates;
  if (++at_warp_[warp] == kWarp) {
    ReleaseWarp(warp);
  } else {
    member.fiber.Suspend();
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

bool EmulatedBlock::CheckShared(int thread, int64_t offset, int64_t bytes, bool write) {
  if (offset < 0 || offset + bytes > shared_bytes_) {
    Fail(absl::StrCat("thread ", thread, " touches bytes ", offset, " to ", offset + bytes, " of ", shared_bytes_,
                      " bytes of shared memory"));
    return false;
  }
  const int warp = thread / kWarp;
  for (int64_t g = offset / kGranule; g < (offset + bytes + kGranule - 1) / kGranule; ++g) {
    Touch& touch = touches_[g];
    const bool after_write = Ordered(thread, touch.writer, touch.written, touch.written_warp);
    if (!after_write || touch.atomic == epoch_) {
      Fail(absl::StrCat("thread ", thread, write ? " writes" : " reads", " byte ", g * kGranule,
                        " of shared memory that thread ", touch.writer, " writes, without a barrier between"));
    }
    if (write) {
      if (!Ordered(thread, touch.reader, touch.read, touch.read_warp)) {
        Fail(absl::StrCat("thread ", thread, " writes byte ", g * kGranule,
                          " of shared memory that another reads, without a barrier between"));
      }
      touch.written = epoch_;
      touch.written_warp = warp_epoch_[warp];
      touch.writer = thread;
      continue;
    }
    if (touch.written < first_epoch_ && touch.atomic < first_epoch_) {
      Fail(absl::StrCat("thread ", thread, " reads byte ", g * kGranule, " of shared memory that nobody wrote"));
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
  return true;
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

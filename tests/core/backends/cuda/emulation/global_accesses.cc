#include "tests/core/backends/cuda/emulation/global_accesses.h"

namespace kwta::cuda {

void GlobalAccesses::StartLaunch(uint32_t first_epoch) {
  launch_ = first_epoch;
  if (pages_.size() <= kMostPages) return;
  pages_.clear();
  recent_ = {};
}

void GlobalAccesses::Find(uintptr_t number, Recent* recent) {
  std::unique_ptr<Page>& page = pages_[number];
  if (page == nullptr) page = std::make_unique<Page>();
  *recent = {number, page.get()};
}

bool GlobalAccesses::Before(uint32_t epoch, uint32_t warp_epoch, int thread, const Moment& now) const {
  if (epoch < launch_) return true;
  if (epoch < now.first_epoch) return false;  // another block
  if (epoch != now.epoch || thread == now.thread) return true;
  const int warp = now.thread / kWarp;
  const bool same_warp = thread >= 0 ? thread / kWarp == warp : thread == ManyOf(warp);
  return same_warp && warp_epoch != now.warp_epoch;
}

const char* GlobalAccesses::Check(Touch* touch, Access access, const Moment& now) {
  const char* wrong = nullptr;
  if (!Before(touch->written, touch->written_warp, touch->writer, now)) {
    wrong = "another thread writes it";
  } else if (access != Access::kAtomic && touch->atomic >= launch_ &&
             (touch->atomic < now.first_epoch || touch->atomic == now.epoch)) {
    wrong = "threads add to it";
  } else if (access != Access::kRead &&
             (!Before(touch->read, touch->read_warp, touch->reader, now) || touch->others_read == launch_)) {
    wrong = "another thread reads it";
  }
  switch (access) {
    case Access::kRead:
      if (touch->read >= launch_ && touch->read < now.first_epoch) touch->others_read = launch_;
      touch->reader = Before(touch->read, touch->read_warp, touch->reader, now) || touch->read < now.first_epoch
                          ? now.thread
                          : Together(touch->reader, now.thread);
      touch->read = now.epoch;
      touch->read_warp = now.warp_epoch;
      break;
    case Access::kWrite:
      touch->written = now.epoch;
      touch->written_warp = now.warp_epoch;
      touch->writer = now.thread;
      break;
    case Access::kAtomic:
      touch->atomic = now.epoch;
      break;
  }
  return wrong;
}

}  // namespace kwta::cuda

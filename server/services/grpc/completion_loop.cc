#include "server/services/grpc/completion_loop.h"

#include <utility>

#include "absl/time/time.h"
#include "core/base/short_slices.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kTickInterval = absl::Seconds(1);
// So many events may come before left work is done. More would make it wait, and keep other threads from helping.
constexpr int kEventsBeforeLeftWork = 8;
// The loop does left work itself if it waits for events for at least this share of its time. Otherwise other threads do
// it, so that the loop does not become what bounds the server.
constexpr double kOftenIdle = 0.25;
constexpr absl::Duration kOfLate = absl::Milliseconds(2);

gpr_timespec Soon() {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(absl::ToInt64Milliseconds(kTickInterval), GPR_TIMESPAN));
}

}  // namespace

void CompletionLoop::Post(std::function<void()> function) {
  absl::MutexLock lock(&mutex_);
  posted_.push_back(std::move(function));
  // The loop's own thread runs the posted functions when it finishes its current event.
  if (posters_ == 0 && std::this_thread::get_id() != runner_) Wake();
}

void CompletionLoop::BeginPosting() {
  absl::MutexLock lock(&mutex_);
  ++posters_;
}

void CompletionLoop::EndPosting() {
  absl::MutexLock lock(&mutex_);
  if (--posters_ == 0 && !posted_.empty() && std::this_thread::get_id() != runner_) Wake();
}

void CompletionLoop::Wake() {
  if (std::exchange(waking_, true)) return;
  alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &woken_);
}

void CompletionLoop::Woken(bool) {
  absl::MutexLock lock(&mutex_);
  waking_ = false;
}

void CompletionLoop::RunPosted() {
  std::vector<std::function<void()>> functions;
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      if (posted_.empty()) return;
      functions.swap(posted_);
    }
    for (const std::function<void()>& function : functions) function();
    functions.clear();
  }
}

void CompletionLoop::Start() {
  thread_ = std::thread([this] {
    AskForShortSlices();
    Run();
  });
}

void CompletionLoop::AddHolds(int more) {
  absl::MutexLock lock(&mutex_);
  holds_ += more;
}

void CompletionLoop::Finish() {
  {
    // gRPC accepts no operation once its queue shuts down.
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &CompletionLoop::NotHeld));
  }
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Run();
  }
}

void CompletionLoop::Run() {
  {
    absl::MutexLock lock(&mutex_);
    runner_ = std::this_thread::get_id();
  }
  if (left_.begin) left_.begin();
  woke_ = SteadyTime::Now();
  gpr_timespec wake = Soon();
  while (Next(wake) != grpc::CompletionQueue::SHUTDOWN) {
    RunPosted();
    if (woke_ < next_tick_) continue;
    Tick();
    wake = Soon();
  }
}

// Completes an event if one comes before the deadline, or does left work.
grpc::CompletionQueue::NextStatus CompletionLoop::Next(gpr_timespec deadline) {
  const bool left = left_.waits && left_.waits();
  const SteadyTime begin = left ? woke_ : SteadyTime::Now();
  void* tag;
  bool ok;
  const auto next = queue_->AsyncNext(&tag, &ok, left ? gpr_time_0(GPR_CLOCK_MONOTONIC) : deadline);
  if (!left) CountWait(begin);
  if (next == grpc::CompletionQueue::GOT_EVENT) static_cast<CompletionEvent*>(tag)->Complete(ok);
  if (!left) {
    events_before_left_ = 0;
    return next;
  }
  if (next == grpc::CompletionQueue::TIMEOUT && IsOftenIdle()) {
    left_.run();
  } else if (next == grpc::CompletionQueue::TIMEOUT || ++events_before_left_ >= kEventsBeforeLeftWork) {
    left_.hand_over();
  }
  return next;
}

// The loop has waited since `begin`, and worked before; there was no left work.
void CompletionLoop::CountWait(SteadyTime begin) {
  worked_ += begin - woke_;
  woke_ = SteadyTime::Now();
  waited_ += woke_ - begin;
  while (waited_ + worked_ > kOfLate) {
    waited_ /= 2;
    worked_ /= 2;
  }
}

bool CompletionLoop::IsOftenIdle() const { return waited_ >= kOftenIdle * (waited_ + worked_); }

void CompletionLoop::Tick() {
  next_tick_ = SteadyTime::Now() + kTickInterval;
  for (const std::function<void()>& tick : ticks_) tick();
  RunPosted();
}

}  // namespace kwta::server

#include "server/services/completion_loop.h"

#include <utility>

namespace kwta::server {

void CompletionLoop::Post(std::function<void()> function) {
  absl::MutexLock lock(&mutex_);
  posted_.push_back(std::move(function));
  // One wake-up for all that is posted until the thread comes to it.
  if (posted_.size() == 1) alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &posted_event_);
}

void CompletionLoop::RunPosted(bool) {
  std::vector<std::function<void()>> functions;
  {
    absl::MutexLock lock(&mutex_);
    functions.swap(posted_);
  }
  for (const std::function<void()>& function : functions) function();
}

void CompletionLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CompletionLoop::AddHolds(int more) {
  absl::MutexLock lock(&mutex_);
  holds_ += more;
}

void CompletionLoop::Finish() {
  {
    // gRPC takes no operation once its queue shuts down.
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
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) static_cast<CompletionEvent*>(tag)->Complete(ok);
}

}  // namespace kwta::server

#include "server/web/http_workers.h"

#include <utility>

namespace kwta::server {

HttpWorkers::HttpWorkers(int threads, size_t most_waiting) : most_waiting_(most_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

void HttpWorkers::Stop() {
  std::deque<std::function<void()>> dropped;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    dropped.swap(waiting_);
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool HttpWorkers::Run(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  if (ending_ || waiting_.size() >= most_waiting_) return false;
  waiting_.push_back(std::move(work));
  return true;
}

void HttpWorkers::Loop() {
  while (true) {
    std::function<void()> work;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &HttpWorkers::HasWorkOrEnds));
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace kwta::server

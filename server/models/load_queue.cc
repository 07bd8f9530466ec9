#include "server/models/load_queue.h"

#include <utility>

namespace kwta::server {
namespace {

absl::Status Stopping() { return absl::UnavailableError("the server is stopping; send the request to another one"); }

}  // namespace

void LoadQueue::Add(const VersionKey& key, Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) {
      std::vector<Done>& waiting = waiting_[key];
      if (waiting.empty()) order_.push_back(key);
      waiting.push_back(std::move(done));
      return;
    }
  }
  done(Stopping());
}

bool LoadQueue::RunOne() {
  VersionKey key;
  {
    absl::MutexLock lock(&mutex_);
    if (order_.empty()) return false;
    key = order_.front();
  }
  const absl::StatusOr<ServedModelPtr> model = load_(key);
  std::vector<Done> waiting;
  {
    absl::MutexLock lock(&mutex_);
    // Stop may have answered the callers already.
    if (const auto found = waiting_.find(key); found != waiting_.end()) {
      waiting.swap(found->second);
      waiting_.erase(found);
      order_.pop_front();
    }
  }
  for (const Done& done : waiting) done(model);
  return true;
}

void LoadQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void LoadQueue::Run() {
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &LoadQueue::HasWorkOrStops));
      if (stopped_) return;
    }
    RunOne();
  }
}

void LoadQueue::Stop() {
  std::map<VersionKey, std::vector<Done>> waiting;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    waiting.swap(waiting_);
    order_.clear();
  }
  for (const auto& [key, callers] : waiting) {
    for (const Done& done : callers) done(Stopping());
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace kwta::server

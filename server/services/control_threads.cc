#include "server/services/control_threads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

// When a caller that found no place may come again.
constexpr absl::Duration kPauseOfTheRefused = absl::Seconds(1);

}  // namespace

ControlThreads::ControlThreads(Options options) : options_(std::move(options)) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Work(); });
}

ControlThreads::~ControlThreads() {
  {
    absl::MutexLock lock(&mutex_);
    stops_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status ControlThreads::Run(absl::string_view caller, std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  const auto found = callers_.find(caller);
  const int own = found == callers_.end() ? 0 : static_cast<int>(found->second.size());
  if (waiting_ >= options_.most_waiting) {
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(waiting_, " calls that ", options_.what,
                                                                    " wait already, and no more may; try again later")),
                          kPauseOfTheRefused);
  }
  if (own >= options_.most_waiting / 2) {
    return WithRetryAfter(
        absl::ResourceExhaustedError(absl::StrCat(own, " calls of this caller that ", options_.what,
                                                  " wait already, and no more of one caller may; try again later")),
        kPauseOfTheRefused);
  }
  const auto line = found != callers_.end() ? found : callers_.try_emplace(std::string(caller)).first;
  line->second.push_back(std::move(work));
  ++waiting_;
  if (own == 0) turns_.push_back(line);
  return absl::OkStatus();
}

int ControlThreads::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiting_;
}

void ControlThreads::Work() {
  for (;;) {
    std::function<void()> work;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ControlThreads::HasWorkOrStops));
      if (turns_.empty()) return;
      const Callers::iterator line = turns_.front();
      turns_.pop_front();
      work = std::move(line->second.front());
      line->second.pop_front();
      --waiting_;
      if (line->second.empty()) {
        callers_.erase(line);
      } else {
        turns_.push_back(line);
      }
    }
    work();
  }
}

}  // namespace kwta::server

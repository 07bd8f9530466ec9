// The answers of a stream: finished in any order, given out in the order of the requests.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// One thread opens places, any thread fills them, one thread takes the answers. Thread-safe.
template <typename Answer>
class OrderedAnswers {
 public:
  // At most `limit` places are open at a time: a stream whose client does not read stops being read.
  explicit OrderedAnswers(int limit) : limit_(static_cast<size_t>(limit)) {}

  // Opens the next place, waiting until one is free; nullopt after Abandon.
  std::optional<uint64_t> Open() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &OrderedAnswers::MayOpen));
    if (abandoned_) return std::nullopt;
    places_.emplace_back();
    ++unfilled_;
    return first_ + places_.size() - 1;
  }

  // Each open place is to be filled once.
  void Fill(uint64_t place, Answer answer) {
    absl::MutexLock lock(&mutex_);
    places_[place - first_] = std::move(answer);
    --unfilled_;
  }

  // No more places will be opened.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  // Nobody takes answers any more.
  void Abandon() {
    absl::MutexLock lock(&mutex_);
    abandoned_ = true;
  }

  // The next answer; waits for it. nullopt once all places were taken after Close, or after Abandon.
  std::optional<Answer> Take() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &OrderedAnswers::MayTake));
    if (abandoned_ || places_.empty()) return std::nullopt;
    Answer answer = *std::move(places_.front());
    places_.pop_front();
    ++first_;
    return answer;
  }

  // Waits until every open place was filled: nobody will call Fill any more.
  void WaitUntilFilled() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &OrderedAnswers::AllFilled));
  }

 private:
  bool MayOpen() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return abandoned_ || places_.size() < limit_; }
  bool MayTake() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return abandoned_ || (places_.empty() ? closed_ : places_.front().has_value());
  }
  bool AllFilled() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return unfilled_ == 0; }

  const size_t limit_;
  mutable absl::Mutex mutex_;
  std::deque<std::optional<Answer>> places_ ABSL_GUARDED_BY(mutex_);
  uint64_t first_ ABSL_GUARDED_BY(mutex_) = 0;  // number of places_.front()
  uint64_t unfilled_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server

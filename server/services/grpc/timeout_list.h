// Timeouts of calls that wait, all equally patient.
#pragma once

#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// Entries are in the order in which they expire, since all of them wait equally long. So starting and stopping one
// costs next to nothing. Not thread-safe.
class TimeoutList {
 public:
  // A wait. It belongs to the call that waits; destroying it stops it.
  class Entry {
   public:
    explicit Entry(std::function<void()> expired) : expired_(std::move(expired)) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { Stop(); }

    // Starts the wait, or starts it anew. REQUIRES: the list outlives the entry.
    void Start(TimeoutList* list);
    void Stop();

   private:
    friend class TimeoutList;
    const std::function<void()> expired_;
    TimeoutList* list_ = nullptr;  // null: does not wait
    Entry* before_ = nullptr;
    Entry* after_ = nullptr;
    SteadyTime end_;
  };

  explicit TimeoutList(absl::Duration patience, std::function<SteadyTime()> now = SteadyTime::Now)
      : patience_(patience), now_(std::move(now)) {}

  absl::Duration patience() const { return patience_; }
  // Stops the waits that are over and calls their functions, which may start and stop waits.
  void Expire();

 private:
  const absl::Duration patience_;
  const std::function<SteadyTime()> now_;
  Entry* first_ = nullptr;
  Entry* last_ = nullptr;
};

}  // namespace kwta::server

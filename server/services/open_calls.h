// Limits calls that need no token and last: somebody who may not even encode must not fill the server with them.
#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// Counts calls of one kind, in all and by the host that makes them. Thread-safe.
class OpenCalls {
  using Hosts = std::map<std::string, int>;

 public:
  struct Limits {
    std::string what;  // the calls, for refusals: "health watchers"
    int all = 0;
    int each_host = 0;
    std::string flag;  // sets the limits; empty: nothing does
  };

  explicit OpenCalls(Limits limits) : limits_(std::move(limits)) {}

  // Destroying a place gives it back. Movable.
  class Place {
   public:
    Place(Place&& other) noexcept : calls_(other.calls_), host_(other.host_) { other.calls_ = nullptr; }
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (calls_ != nullptr) calls_->GiveBack(host_);
    }

   private:
    friend class OpenCalls;
    Place(OpenCalls* calls, Hosts::iterator host) : calls_(calls), host_(host) {}
    OpenCalls* calls_;
    Hosts::iterator host_;
  };

  // Errors: RESOURCE_EXHAUSTED naming the limit, with a RetryAfter.
  absl::StatusOr<Place> Take(const std::string& host);

  int open() const;

 private:
  void GiveBack(Hosts::iterator host);

  const Limits limits_;
  mutable absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  Hosts hosts_ ABSL_GUARDED_BY(mutex_);  // none with 0
};

}  // namespace kwta::server

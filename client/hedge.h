// Makes second attempts of slow calls: Dean & Barroso, "The tail at scale", 2013. Private to the library.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/options.h"
#include "kwta/v1/service.grpc.pb.h"

namespace kwta::client {

// Limits second attempts to max_fraction of the calls, because servers that are slow from overload must not get twice
// the work. Thread-safe.
class HedgeBudget {
 public:
  explicit HedgeBudget(double max_fraction) : max_fraction_(max_fraction) {}

  void CountCall();
  // Returns true if a second attempt may be made, and counts it.
  bool Take();

 private:
  const double max_fraction_;
  absl::Mutex mutex_;
  double attempts_left_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Thread-safe.
class Hedger {
 public:
  // REQUIRES: options.hedge.delay is set. Connects to servers when it first needs them.
  explicit Hedger(const Options& options);

  // Makes an Encode call over `stub`. If no answer arrives within the delay and the budget allows it, makes a second
  // attempt over a separate connection that serves nothing else, to another server if there are several. The first good
  // answer counts; the other attempt is cancelled. If both fail, returns the status of the first.
  grpc::Status Encode(v1::EncoderService::Stub* stub, const v1::EncodeRequest& request, absl::Time deadline,
                      v1::EncodeResponse* response);

 private:
  struct Server {
    std::string address;
    std::unique_ptr<v1::EncoderService::Stub> stub;
  };

  // Returns the stub of a server other than `peer`, if there is one.
  v1::EncoderService::Stub* Other(const std::string& peer);

  const absl::Duration delay_;
  HedgeBudget budget_;
  std::vector<Server> servers_;
  std::atomic<size_t> next_{0};
};

}  // namespace kwta::client

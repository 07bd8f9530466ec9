// Second attempts of calls that are slow to answer: Dean & Barroso, "The tail at scale", 2013. Private to the library.
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

// Sees to it that there are never more second attempts than max_fraction of the calls: servers that are slow because
// they have too much to do must not be given twice as much. Thread-safe.
class HedgeBudget {
 public:
  explicit HedgeBudget(double max_fraction) : max_fraction_(max_fraction) {}

  void CountCall();
  // Whether a second attempt may be made; it is counted then.
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

  // An Encode over `stub`. If it has not answered after the delay and the budget allows it, a second attempt is made
  // over a connection that serves nothing else, to another server if there are several; the first good answer counts,
  // and the other attempt is cancelled. If both fail, the status is that of the first.
  grpc::Status Encode(v1::EncoderService::Stub* stub, const v1::EncodeRequest& request, absl::Time deadline,
                      v1::EncodeResponse* response);

 private:
  struct Server {
    std::string address;
    std::unique_ptr<v1::EncoderService::Stub> stub;
  };

  // One that `peer` is not, if there is one.
  v1::EncoderService::Stub* Other(const std::string& peer);

  const absl::Duration delay_;
  HedgeBudget budget_;
  std::vector<Server> servers_;
  std::atomic<size_t> next_{0};
};

}  // namespace kwta::client

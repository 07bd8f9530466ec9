// Counts and times the requests of the Open Inference Protocol.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/open_inference.pb.h"

namespace kwta::server {

// How long the parts of one request took.
struct InferenceTimes {
  int64_t rows = 0;
  int64_t batches = 0;  // batches that this request counts, see EncodeResult
  absl::Duration whole, queue, input, compute, output;
};

// Thread-safe.
class InferenceStatistics {
 public:
  void Succeeded(const std::string& model, uint64_t version, absl::Time now, const InferenceTimes& times);
  void Failed(const std::string& model, uint64_t version, absl::Duration whole);

  // Returns the statistics of one version, or all (0), of one model, or all (empty). Omits versions without requests.
  std::vector<inference::ModelStatistics> Of(const std::string& model, uint64_t version) const;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::pair<std::string, uint64_t>, inference::ModelStatistics> versions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server

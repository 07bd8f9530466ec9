// Loads a server with Encode calls and measures how long they take.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/encode_types.h"
#include "client/load/latency_histogram.h"
#include "client/options.h"
#include "core/tensors/tensor.h"

namespace kwta::client {

struct LoadOptions {
  // Calls that are due each second, evenly spaced whatever the server does (an open loop: a slow answer does not delay
  // the next call, and waiting counts as latency). 0: a closed loop that always has `outstanding` calls on their way.
  double rate = 0;
  // Most calls on their way at once. A call of an open loop that is due when so many are under way is not made, and
  // counted as such.
  int outstanding = 64;
  int connections = 1;
  int64_t rows_per_call = 1;
  // Send messages over one EncodeStream a connection instead of making a call for each; a closed loop only. Deadlines
  // hold for answers as a whole.
  bool stream = false;
  // Send calls that name no model and hold no rows, which a server refuses at once: what the transport costs. Unary
  // only.
  bool empty = false;
  absl::Duration warm_up = absl::Seconds(1);  // calls begun in it are not counted
  absl::Duration duration = absl::Seconds(10);
  absl::Duration deadline = absl::Seconds(10);     // of a call
  absl::Duration connect_time = absl::Seconds(5);  // a server that cannot be reached for so long is not there
  // Stops early once true. May be null.
  const std::atomic<bool>* stop = nullptr;
  // Called about once a second with the part of the time that has passed. May be empty.
  std::function<void(double)> progress;
};

struct LoadReport {
  absl::Duration elapsed;                       // of the counted part
  int64_t due = 0;                              // calls that were due in it
  int64_t not_made = 0;                         // of them, because too many were on their way
  std::map<absl::StatusCode, int64_t> answers;  // by status
  std::string first_error;                      // the message of the first answer that is not OK
  LatencyHistogram accepted;                    // latencies of answers that are OK, from the moment the call was due
  LatencyHistogram refused;                     // of RESOURCE_EXHAUSTED

  // Adds the counts of another part of the same load.
  void Merge(const LoadReport& other);
  int64_t ok() const;
  double calls_per_second() const { return static_cast<double>(ok()) / absl::ToDoubleSeconds(elapsed); }
};

// Encodes `rows`, rows_per_call of them a call, round and round. Answers are counted, not looked into. One thread.
// Errors: INVALID_ARGUMENT (options or rows that make no sense), UNAVAILABLE (no server answers at first).
absl::StatusOr<LoadReport> GenerateLoad(const Options& server, const std::string& model, const RowsView& rows,
                                        const EncodeSettings& settings, const LoadOptions& options);

}  // namespace kwta::client

// Loads a server with Encode calls and measures their latency.
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
  // Calls due per second, evenly spaced whatever the server does. In this open loop a slow answer does not delay the
  // next call, and waiting counts as latency. 0 means a closed loop that always keeps `outstanding` calls in flight.
  double rate = 0;
  // Most calls in flight at once. If an open loop's call is due when this many are in flight, the call is not made and
  // counts as not made.
  int outstanding = 64;
  int connections = 1;
  int64_t rows_per_call = 1;
  // Send messages over one EncodeStream per connection instead of making a call for each. Closed loop only. Deadlines
  // then apply to the answers as a whole.
  bool stream = false;
  // Send unary calls that name no model and hold no rows. The server refuses them at once, so this measures the cost of
  // the transport.
  bool empty = false;
  // Make a call again that finds the server unavailable, with the pauses of Options::retry, as the library does for
  // callers of Encode. Its latency counts from the moment when it was first due. Not with `stream`.
  bool repeat = false;
  absl::Duration warm_up = absl::Seconds(1);  // calls that begin in it are not counted
  absl::Duration duration = absl::Seconds(10);
  absl::Duration deadline = absl::Seconds(10);     // per call
  absl::Duration connect_time = absl::Seconds(5);  // how long to try to reach a server
  // Stops early once it is true. May be null.
  const std::atomic<bool>* stop = nullptr;
  // Called about once a second with the fraction of the time that has passed. May be empty.
  std::function<void(double)> progress;
};

struct LoadReport {
  absl::Duration elapsed;                       // duration of the counted part
  int64_t due = 0;                              // calls due in the counted part
  int64_t not_made = 0;                         // due calls not made because too many were in flight
  int64_t repeated = 0;                         // attempts after a call's first
  std::map<absl::StatusCode, int64_t> answers;  // by status
  std::string first_error;                      // the message of the first answer that is not OK
  LatencyHistogram accepted;                    // latencies of OK answers, from the moment the call was due
  LatencyHistogram refused;                     // latencies of RESOURCE_EXHAUSTED answers

  // Adds the counts of another part of the same load.
  void Merge(const LoadReport& other);
  int64_t ok() const;
  // Answers that say neither OK nor that a server is overloaded, late or away: the calls themselves are at fault.
  int64_t faulty() const;
  double calls_per_second() const { return static_cast<double>(ok()) / absl::ToDoubleSeconds(elapsed); }
};

// Encodes `rows` repeatedly, rows_per_call of them per call. Counts answers without reading them. Call it from one
// thread. Errors: INVALID_ARGUMENT (invalid options or rows), UNAVAILABLE (no server answers at first).
absl::StatusOr<LoadReport> GenerateLoad(const Options& server, const std::string& model, const RowsView& rows,
                                        const EncodeSettings& settings, const LoadOptions& options);

}  // namespace kwta::client

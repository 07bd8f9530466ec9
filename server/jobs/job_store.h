// Where jobs and their history are kept: the source of truth about jobs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kwta/v1/job.pb.h"
#include "server/jobs/job_counts.h"

namespace kwta::server {

// Thread-safe. Once a method returns OK, its effect survives a crash of the process or the machine.
// Errors of every method: RESOURCE_EXHAUSTED (disk full), DATA_LOSS (the store is damaged), UNAVAILABLE (the store
// cannot be reached or written).
class JobStore {
 public:
  virtual ~JobStore() = default;

  struct Created {
    v1::Job job;
    bool is_new = false;  // false: the request was made before, and this is its job
  };
  // Stores a queued job with its first event. Errors: ALREADY_EXISTS if `id` belongs to a job with another spec.
  virtual absl::StatusOr<Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) = 0;

  // Errors: NOT_FOUND.
  virtual absl::StatusOr<v1::Job> Get(const std::string& id) = 0;
  // Returns at most `limit` jobs in `state`, newest first; JOB_STATE_UNSPECIFIED means any state. A job whose record
  // cannot be read has its id, its state and an error that says so.
  virtual absl::StatusOr<std::vector<v1::Job>> List(v1::JobState state, int64_t limit) = 0;
  virtual absl::StatusOr<JobCounts> Count() = 0;

  // Numbers the event, stores it and updates the job, in one transaction. Returns the updated job.
  // Errors: NOT_FOUND; FAILED_PRECONDITION if the job has ended.
  virtual absl::StatusOr<v1::Job> Append(const std::string& id, v1::JobEvent event) = 0;
  // Returns at most `limit` events with sequence > after_sequence, in order. Errors: NOT_FOUND (no such job).
  virtual absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id, uint64_t after_sequence,
                                                                int64_t limit) = 0;
};

}  // namespace kwta::server

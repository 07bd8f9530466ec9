// A kwta-trainer process: started with its task, listened to, stopped, reaped.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "kwta/v1/job.pb.h"

namespace kwta::server {

struct TrainerProcessOptions {
  std::string program;
  int niceness = 0;      // 19: it also runs only on what no other program wants (SCHED_IDLE)
  std::string log_path;  // gets what the trainer writes to stdout and stderr; truncated at the start
};

// The child gets the task on standard input, and inherits nothing but descriptors 0 to 3, of which 3 is its report
// pipe. It is killed when the thread that started it ends, and before the server where memory is short. Not
// thread-safe, except for Terminate and Kill.
class TrainerProcess {
 public:
  // Errors: NOT_FOUND (no such program), PERMISSION_DENIED (not executable), UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<TrainerProcess>> Start(const TrainerProcessOptions& options,
                                                               const v1::TrainerTask& task);
  // Kills and reaps it if it still runs.
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  enum class Event { kReport, kNothingYet, kEnd };
  // Waits for the next report up to `timeout`. kEnd: the pipe was closed, or the process has ended and all it wrote was
  // read. Errors: DATA_LOSS if what it wrote is no report.
  absl::StatusOr<Event> Next(absl::Duration timeout, v1::TrainerReport* report);

  // Asks it to stop (SIGTERM), or makes it (SIGKILL). May be called from any thread.
  void Terminate() { Signal(SIGTERM); }
  void Kill() { Signal(SIGKILL); }

  // Waits up to `patience` for it to end, kills it after that, and reaps it. Says how it ended: "exited with code 1",
  // "was killed by signal 11 (Segmentation fault)".
  std::string Reap(absl::Duration patience);
  // Whether it was made to end from outside, as by the system when memory is short: SIGKILL, or another signal that
  // asks to stop. REQUIRES: it was reaped.
  bool was_killed();

  // The last lines that it wrote to stderr, at most `bytes`.
  std::string LogTail(size_t bytes) const;

 private:
  TrainerProcess(pid_t pid, int reports, std::string log_path)
      : pid_(pid), reports_(reports), log_path_(std::move(log_path)) {}
  // Takes a report from the front of buffer_; nullopt if it is not complete.
  absl::StatusOr<std::optional<v1::TrainerReport>> ParseReport();
  // Reaps it if it has ended.
  bool HasEnded();
  void Signal(int signal);

  const pid_t pid_;
  const int reports_;
  const std::string log_path_;
  std::string buffer_;
  absl::Mutex mutex_;
  std::optional<int> wait_status_ ABSL_GUARDED_BY(mutex_);  // set once it was reaped: its pid is not ours any more
};

}  // namespace kwta::server

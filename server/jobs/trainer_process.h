// Starts a kwta-trainer process with its task, reads its reports, stops it and reaps it.
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
  int niceness = 0;      // 19 also makes it run only on otherwise idle processors (SCHED_IDLE)
  std::string log_path;  // receives the trainer's stdout and stderr; truncated at the start
};

// The child reads the task from standard input. It inherits only descriptors 0 to 3; 3 is its report pipe. It is killed
// when the thread that started it ends, and when memory is short the system kills it before the server. Not
// thread-safe, except for Terminate and Kill.
class TrainerProcess {
 public:
  // Starts a trainer. Errors: NOT_FOUND (no such program), PERMISSION_DENIED (not executable), UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<TrainerProcess>> Start(const TrainerProcessOptions& options,
                                                               const v1::TrainerTask& task);
  // Kills and reaps the process if it still runs.
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  enum class Event { kReport, kNothingYet, kEnd };
  // Waits up to `timeout` for the next report. kEnd: the pipe was closed, or the process has ended and all its output
  // was read. Errors: DATA_LOSS if the output is not a report.
  absl::StatusOr<Event> Next(absl::Duration timeout, v1::TrainerReport* report);

  pid_t pid() const { return pid_; }

  // Asks the process to stop (SIGTERM), or forces it (SIGKILL). Any thread may call these.
  void Terminate() { Signal(SIGTERM); }
  void Kill() { Signal(SIGKILL); }

  // Waits up to `patience` for the process to end, then kills it, and reaps it. Returns how it ended:
  // "exited with code 1", "was killed by signal 11 (Segmentation fault)".
  std::string Reap(absl::Duration patience);
  // True if something outside made the process end, such as the system when memory is short: SIGKILL, or another signal
  // that asks to stop. REQUIRES: it was reaped.
  bool was_killed();

  // Returns the last lines of its stderr, at most `bytes`.
  std::string LogTail(size_t bytes) const;

 private:
  TrainerProcess(pid_t pid, int reports, std::string log_path)
      : pid_(pid), reports_(reports), log_path_(std::move(log_path)) {}
  // Parses a report from the front of buffer_; returns nullopt if it is incomplete.
  absl::StatusOr<std::optional<v1::TrainerReport>> ParseReport();
  // Reaps the process if it has ended, and returns whether it has.
  bool HasEnded();
  void Signal(int signal);

  const pid_t pid_;
  const int reports_;
  const std::string log_path_;
  std::string buffer_;
  absl::Mutex mutex_;
  std::optional<int> wait_status_ ABSL_GUARDED_BY(mutex_);  // set once reaped; the pid is not ours after that
};

}  // namespace kwta::server

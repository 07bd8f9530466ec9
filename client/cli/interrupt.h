// Handles Ctrl-C while a command watches a job.
#pragma once

#include <csignal>
#include <string>

namespace kwta::client::cli {

// While it exists, SIGINT prints `notice` to standard error and ends the process with `exit_code`. Its destructor
// restores the earlier handler. At most one may exist at a time.
class InterruptNotice {
 public:
  InterruptNotice(const std::string& notice, int exit_code);
  ~InterruptNotice();
  InterruptNotice(const InterruptNotice&) = delete;
  InterruptNotice& operator=(const InterruptNotice&) = delete;

 private:
  struct sigaction previous_ {};
};

}  // namespace kwta::client::cli

// What Ctrl-C does while a job is being watched.
#pragma once

#include <csignal>
#include <string>

namespace kwta::client::cli {

// While it lives, SIGINT prints `notice` to standard error and ends the process with `exit_code`; the disposition
// before is restored afterwards. At most one may live at a time.
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

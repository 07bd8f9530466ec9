// What Ctrl-C does while a command runs. At most one object of these classes may exist at a time.
#pragma once

#include <atomic>
#include <csignal>
#include <string>

namespace kwta::client::cli {

// While it exists, SIGINT prints `notice` to standard error and ends the process with `exit_code`. Its destructor
// restores the earlier handler.
class InterruptNotice {
 public:
  InterruptNotice(const std::string& notice, int exit_code);
  ~InterruptNotice();
  InterruptNotice(const InterruptNotice&) = delete;
  InterruptNotice& operator=(const InterruptNotice&) = delete;

 private:
  struct sigaction previous_ {};
};

// While it exists, the first SIGINT sets a flag, so that the work can stop in good order, and the second ends the
// process. Its destructor restores the earlier handler.
class InterruptFlag {
 public:
  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;

  const std::atomic<bool>* get() const;

 private:
  struct sigaction previous_ {};
};

}  // namespace kwta::client::cli

// What the process must be before anything else is done in it: its signals, its first descriptors, its limits.
#pragma once

#include <signal.h>

namespace kwta::server {

// Opens /dev/null as those of descriptors 0, 1 and 2 that are closed. A socket or file would get their numbers
// otherwise, and the log would be written into it. To be called before anything else is opened.
void OccupyStandardDescriptors();

// A connection is a descriptor: as many as the system lets us have, not the thousand that shells are content with.
void RaiseDescriptorLimit();

// What this process and its trainers make is for their user only, whatever the umask was.
void KeepNewFilesPrivate();

// The answers to signals. SIGTERM, SIGINT, SIGHUP and SIGXCPU stop the server, SIGHUP unless it was ignored at the
// start (nohup). SIGPIPE, SIGXFSZ, SIGUSR1 and SIGUSR2 do nothing: a peer that went away and a file that may not grow
// are errors of the call that writes. To be made by main before it starts a thread; one at a time.
class StopSignals {
 public:
  StopSignals();

  // Returns when the first signal has come that stops the server.
  void Wait();
  // From here on such a signal ends the process at once, with exit code 1. Needs no thread and no memory.
  void ExitAtTheNext();

 private:
  sigset_t signals_;
};

}  // namespace kwta::server

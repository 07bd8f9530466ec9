// Sets up the process before anything else happens in it: its signals, its first descriptors, its limits.
#pragma once

#include <signal.h>

#include <cstdint>

namespace kwta::server {

// Opens /dev/null on each of descriptors 0, 1 and 2 that is closed. Otherwise a socket or file would get its number,
// and the log would be written into it. Call this before anything else is opened.
void OccupyStandardDescriptors();

// Raises the limit on descriptors as far as the system allows, since each connection takes one and shells set about
// 1000.
void RaiseDescriptorLimit();

// Returns how many descriptors this process may have.
uint64_t DescriptorLimit();

// Makes files that this process and its trainers create accessible only to their user, whatever the umask was.
void KeepNewFilesPrivate();

// Handles signals. SIGTERM, SIGINT, SIGHUP and SIGXCPU stop the server; SIGHUP does not if it was ignored at the start
// (nohup). SIGPIPE, SIGXFSZ, SIGUSR1 and SIGUSR2 do nothing: if a peer went away or a file may not grow, the call that
// writes returns an error. main creates it before it starts a thread; at most one may exist at a time.
class StopSignals {
 public:
  StopSignals();

  // True if a signal that stops the server has arrived and Wait has not returned for it. Any thread may ask.
  bool Arrived() const;
  // Returns when the first signal arrives that stops the server.
  void Wait();
  // Makes the next such signal end the process at once, with exit code 1. This needs no thread and no memory.
  void ExitAtTheNext();

 private:
  sigset_t signals_;
};

}  // namespace kwta::server

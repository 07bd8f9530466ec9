// What every call of oneDNN needs around it.
#pragma once

#include <csignal>

namespace kwta::onednn::support {

// While this lives, the library's OpenMP regions run on the calling thread alone, and no signal handler runs on this
// thread: some kernels of oneDNN, up to 3.11.1 at least, keep an address of the heap in the stack pointer
// (https://github.com/uxlfoundation/oneDNN/issues/4845), so that a handler's frame would overwrite what lies there.
// Signals that arrive meanwhile are delivered to another thread, or to this one by the destructor, which restores the
// caller's settings. Signals of faults stay as they are.
class LibraryCall {
 public:
  LibraryCall();
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;

 private:
  const int threads_before_;
  sigset_t signals_before_;
};

}  // namespace kwta::onednn::support

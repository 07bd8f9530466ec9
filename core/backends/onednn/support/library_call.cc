#include "core/backends/onednn/support/library_call.h"

#include <omp.h>

#include <initializer_list>

namespace kwta::onednn::support {
namespace {

sigset_t AllButFaults() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, fault);
  return signals;
}

}  // namespace

LibraryCall::LibraryCall() : threads_before_(omp_get_max_threads()) {
  static const sigset_t held_back = AllButFaults();
  pthread_sigmask(SIG_BLOCK, &held_back, &signals_before_);
  omp_set_num_threads(1);
}

LibraryCall::~LibraryCall() {
  omp_set_num_threads(threads_before_);
  pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
}

}  // namespace kwta::onednn::support

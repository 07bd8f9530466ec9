#include "server/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <initializer_list>

namespace kwta::server {
namespace {

constexpr int kAtOnceExitCode = 1;

// Safe in a signal handler.
void ExitAtOnce(int) {
  constexpr char kWords[] = "kwta-server: second signal, exiting at once\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kWords, sizeof(kWords) - 1);
  ::_exit(kAtOnceExitCode);
}

bool IsIgnored(int signal) {
  struct sigaction now = {};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

void OccupyStandardDescriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open returns the lowest free number, and all below this one are taken.
    if (::fcntl(standard, F_GETFD) < 0) ::open("/dev/null", O_RDWR);
  }
}

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t DescriptorLimit() {
  constexpr uint64_t kUsual = 1024;
  rlimit limit = {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : kUsual;
}

void KeepNewFilesPrivate() { ::umask(S_IRWXG | S_IRWXO); }

StopSignals::StopSignals() {
  ::sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGXCPU}) ::sigaddset(&signals_, signal);
  if (!IsIgnored(SIGHUP)) ::sigaddset(&signals_, SIGHUP);
  // Threads inherit the mask; Wait receives the signals.
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
}

bool StopSignals::Arrived() const {
  sigset_t pending, stopping;
  return ::sigpending(&pending) == 0 && ::sigandset(&stopping, &pending, &signals_) == 0 &&
         ::sigisemptyset(&stopping) == 0;
}

void StopSignals::Wait() {
  int signal = 0;
  ::sigwait(&signals_, &signal);
}

void StopSignals::ExitAtTheNext() {
  struct sigaction action = {};
  action.sa_handler = ExitAtOnce;
  for (const int signal : {SIGTERM, SIGINT, SIGXCPU, SIGHUP}) {
    if (::sigismember(&signals_, signal) == 1) ::sigaction(signal, &action, nullptr);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

}  // namespace kwta::server

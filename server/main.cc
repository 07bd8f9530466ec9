// kwta-server: flags to Options to Server; signals to Drain.

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "server/logging.h"
#include "server/options.h"
#include "server/server.h"

namespace {

constexpr int kFailed = 1;

// Blocks the signals that stop the server in this thread, and so in all that it starts; sigwait takes them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // peers that go away are errors of the write, not of the process
  return signals;
}

// A connection is a descriptor: as many as the system lets us have, not the thousand that shells are content with.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const kwta::server::CommandLine command = kwta::server::ParseCommandLine(argc, argv);
  if (command.done) {
    std::fputs(command.text.c_str(), command.exit_code == 0 ? stdout : stderr);
    return command.exit_code;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("kwta-server"));
  spdlog::set_level(spdlog::level::from_str(command.options.log_level));

  spdlog::set_formatter(kwta::server::LogFormatter(command.options.log_format == "json"));
  if (command.options.check_config) {
    const absl::Status status = kwta::server::Server::Check(command.options);
    if (status.ok()) return 0;
    std::fprintf(stderr, "kwta-server: %s\n", std::string(status.message()).c_str());
    return kFailed;
  }
  // Debian's library looks for deadlocks whenever a mutex is locked, under one lock for all of them.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  RaiseDescriptorLimit();
  const sigset_t signals = BlockStopSignals();
  auto server = kwta::server::Server::Start(command.options);
  if (!server.ok()) {
    std::fprintf(stderr, "kwta-server: %s\n", std::string(server.status().message()).c_str());
    return kFailed;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  std::thread([signals] {
    int second = 0;
    sigwait(&signals, &second);
    std::fputs("kwta-server: second signal, exiting at once\n", stderr);
    _exit(kFailed);
  }).detach();
  (*server)->Drain();
  return 0;
}

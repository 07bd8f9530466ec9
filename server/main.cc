// kwta-server: turns flags into Options, Options into a Server, and signals into Drain.

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include "absl/synchronization/mutex.h"
#include "server/logging.h"
#include "server/options.h"
#include "server/process.h"
#include "server/server.h"

namespace {

constexpr int kFailed = 1;

}  // namespace

int main(int argc, char** argv) {
  kwta::server::OccupyStandardDescriptors();
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
  // Debian's library searches for deadlocks whenever a mutex is locked, under one lock for all mutexes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  kwta::server::RaiseDescriptorLimit();
  kwta::server::KeepNewFilesPrivate();
  kwta::server::StopSignals stop;
  auto server = kwta::server::Server::Start(command.options, [&stop] { return stop.Arrived(); });
  if (absl::IsCancelled(server.status())) {
    spdlog::info("stopped before it was ready");
    return 0;
  }
  if (!server.ok()) {
    std::fprintf(stderr, "kwta-server: %s\n", std::string(server.status().message()).c_str());
    return kFailed;
  }
  stop.Wait();
  stop.ExitAtTheNext();
  (*server)->Drain();
  return 0;
}

#include "server/server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/server_parts.h"

namespace kwta::server {
namespace {

// How long the last answers may take to leave when the server stops.
constexpr absl::Duration kAnswersOnTheirWay = absl::Milliseconds(500);

absl::Status BadReadyDescriptor(int descriptor, const char* why) {
  return absl::UnavailableError(
      absl::StrCat("descriptor ", descriptor, ", which --ready-fd names, ", why, "; give one that can be written to"));
}

// Call this before anything is opened here: afterwards the number might belong to one of our own files.
absl::Status CheckReadyDescriptor(int descriptor) {
  if (descriptor < 0) return absl::OkStatus();
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) return BadReadyDescriptor(descriptor, "is not open");
  if ((flags & O_ACCMODE) == O_RDONLY) return BadReadyDescriptor(descriptor, "is open for reading only");
  return absl::OkStatus();
}

// Writes one line of JSON, then closes the descriptor. The reader learns that the server is ready or, without the line,
// that it gave up.
absl::Status AnnounceReady(int descriptor, int grpc_port, int http_port) {
  const std::string line =
      absl::StrCat("{\"grpc\": ", grpc_port, ", \"http\": ", http_port, ", \"pid\": ", ::getpid(), "}\n");
  const bool written = ::write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (descriptor > STDERR_FILENO) {
    ::close(descriptor);
  } else if (const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC); nothing >= 0) {
    ::dup2(nothing, descriptor);  // the next connection would get the number of one that is closed
    ::close(nothing);
  }
  return written ? absl::OkStatus() : BadReadyDescriptor(descriptor, "cannot be written to");
}

}  // namespace

absl::Status Server::Check(const Options& options) {
  KWTA_RETURN_IF_ERROR(CheckReadyDescriptor(options.ready_descriptor));
  return Parts(options, OpenComputeBackends).Check();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, std::function<bool()> stopping,
                                                      OpenBackends open_backends) {
  KWTA_RETURN_IF_ERROR(CheckReadyDescriptor(options.ready_descriptor));
  auto owned = std::make_unique<Parts>(options, std::move(open_backends));
  Parts& parts = *owned;
  parts.stopping = std::move(stopping);
  std::unique_ptr<Server> server(new Server(std::move(owned)));
  KWTA_RETURN_IF_ERROR(parts.StartSecurity());
  KWTA_RETURN_IF_ERROR(parts.StartBase());
  KWTA_RETURN_IF_ERROR(parts.StartModels());
  KWTA_RETURN_IF_ERROR(parts.StartJobs());
  KWTA_RETURN_IF_ERROR(parts.StartGrpc());
  if (parts.stopping && parts.stopping()) return absl::CancelledError("the server stops before it was ready");
  parts.ServeHttp();
  // Start jobs last: a server that cannot start must not touch them.
  parts.runner->Start();
  parts.health->SetServing(true);
  parts.ready = true;
  if (options.ready_descriptor >= 0) {
    KWTA_RETURN_IF_ERROR(AnnounceReady(options.ready_descriptor, parts.grpc_port, parts.http->port()));
  }
  spdlog::info("kwta-server {} is ready: gRPC on {}, HTTP on {}://{}, backend {}, {} threads, {} models",
               parts.facts.version, parts.grpc_address, parts.facts.http_tls ? "https" : "http",
               parts.facts.http_address, parts.facts.backend, parts.facts.threads, parts.models->size());
  return server;
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { Drain(); }

int Server::grpc_port() const { return parts_->grpc_port; }
int Server::http_port() const { return parts_->http->port(); }

void Server::Drain() {
  Parts& parts = *parts_;
  if (std::exchange(parts.drained, true)) return;
  const bool was_ready = parts.ready;
  parts.draining = true;
  if (was_ready) {
    parts.health->SetServing(false);
    spdlog::info("draining");
    absl::SleepFor(absl::Seconds(parts.options.drain_delay_seconds));
  }
  if (parts.runner != nullptr) parts.runner->BeginStop();
  if (parts.journal != nullptr) parts.journal->Stop();
  if (parts.http != nullptr) parts.http->EndStreams();
  if (parts.grpc != nullptr) {
    parts.permits.Close();
    parts.permits.WaitUntilIdle(absl::Now() + absl::Seconds(parts.options.drain_grace_seconds));
    if (parts.acceptor != nullptr) parts.acceptor->Stop();
    // Only answers on their way are left. gRPC would wait longer than this for idle clients, which look at their
    // connections every few seconds.
    parts.grpc->Shutdown(absl::ToChronoTime(absl::Now() + kAnswersOnTheirWay));
  }
  if (parts.models != nullptr) parts.models->Stop();
  if (parts.batcher != nullptr) parts.batcher->Drain();
  if (parts.loop != nullptr) parts.loop->Finish();
  if (parts.grpc != nullptr) parts.grpc->Wait();
  if (parts.runner != nullptr) parts.runner->FinishStop();
  if (was_ready) spdlog::info("stopped");
}

}  // namespace kwta::server

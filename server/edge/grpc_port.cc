#include "server/edge/grpc_port.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/base/steady_time.h"
#include "server/edge/quiet_log.h"
#include "server/freed_memory.h"
#include "server/process.h"

namespace kwta::server {
namespace {

ConnectionRefusal RefusalFor(Offence offence) {
  switch (offence) {
    case Offence::kRapidResets:
      return ConnectionRefusal::kRapidResets;
    case Offence::kAbandonedCalls:
      return ConnectionRefusal::kAbandonedCalls;
    case Offence::kStreams:
      return ConnectionRefusal::kStreams;
    case Offence::kHeaders:
      return ConnectionRefusal::kHeaders;
    case Offence::kControlFrames:
      return ConnectionRefusal::kControlFrames;
    case Offence::kHeldBytes:
    case Offence::kNone:
      break;
  }
  return ConnectionRefusal::kHeldBytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> OpenGrpcPort(const Options& options, ConnectionSeries* series) {
  const int room = ConnectionsFor(DescriptorLimit(), HttpConnectionsFor(DescriptorLimit()));
  if (options.max_connections > room) {
    spdlog::warn("the limit on descriptors leaves room for {} connections, not for the {} of --max-connections", room,
                 options.max_connections);
  }
  AcceptorOptions acceptor;
  acceptor.address = options.listen_address;
  acceptor.max_connections = options.max_connections == 0 ? room : std::min(options.max_connections, room);
  acceptor.max_connections_of_one_host = options.max_connections_per_host == 0
                                             ? std::max(1, acceptor.max_connections / 4 * 3)
                                             : options.max_connections_per_host;
  AcceptorEvents events;
  events.opened = [series] { series->Opened(Port::kGrpc); };
  events.closed = [series] { series->Closed(Port::kGrpc); };
  events.refused = [series](ConnectionRefusal reason) { series->Refused(Port::kGrpc, reason); };
  // Closed connections and abandoned calls leave much behind.
  events.passed = [memory = std::make_shared<FreedMemory>()] { memory->Look(); };
  return Acceptor::Open(acceptor, std::move(events));
}

std::unique_ptr<ConnectionWatch> WatchGrpcPort(const Options& options, Acceptor* acceptor, Metrics* metrics) {
  if (const absl::Status works = ConnectionWatch::Works(); !works.ok()) {
    spdlog::warn(
        "nobody watches over the connections of the gRPC port: {}; put the proxy of deploy/nginx in front of the port "
        "(docs/security.md)",
        std::string(works.message()));
  }
  ConnectionWatch::Events events;
  events.ended = [acceptor, metrics, log = std::make_shared<QuietLog>()](const std::string& host, Offence offence) {
    acceptor->Offended(host);
    metrics->connections().Refused(Port::kGrpc, RefusalFor(offence));
    const int ended = log->Count(SteadyTime::Now());
    if (ended != 0) spdlog::warn("{} connections ended, the last one of {}: {}", ended, host, OffenceName(offence));
  };
  events.refused = [metrics] { metrics->calls().Refuse(Refusal::kMessageSize); };
  return std::make_unique<ConnectionWatch>(ConnectionWatch::Options{options.max_held_bytes, options.max_message_bytes},
                                           std::move(events));
}

}  // namespace kwta::server

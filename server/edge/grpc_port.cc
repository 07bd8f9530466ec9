#include "server/edge/grpc_port.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "server/process.h"

namespace kwta::server {
namespace {

ConnectionRefusal SeriesOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kLimit:
      return ConnectionRefusal::kTotal;
    case Refusal::kHostLimit:
      return ConnectionRefusal::kHost;
    case Refusal::kDescriptors:
      break;
  }
  return ConnectionRefusal::kDescriptors;
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
  events.refused = [series](Refusal reason) { series->Refused(Port::kGrpc, SeriesOf(reason)); };
  return Acceptor::Open(acceptor, std::move(events));
}

}  // namespace kwta::server

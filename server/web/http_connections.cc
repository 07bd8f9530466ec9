#include "server/web/http_connections.h"

namespace kwta::server {

HttpConnections::Room HttpConnections::FindRoom(const std::string& host) {
  const auto known = hosts_.find(host);
  const bool of_host = known != hosts_.end() && known->second.connections >= limit_of_host_;
  if (!of_host && counted_ < limit_) return {true, nullptr, false};
  const IdleOnes& idle = of_host ? known->second.idle : idle_;
  if (idle.empty()) return {false, nullptr, of_host};
  const Id id = idle.begin()->second;
  Uncount(id, &connections_.at(id));
  return {true, id, of_host};
}

void HttpConnections::Opened(Id id, std::string host) {
  ++counted_;
  ++hosts_[host].connections;
  connections_[id].host = std::move(host);
  Idle(id);
}

void HttpConnections::Busy(Id id) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.idle_since == 0) return;
  Connection& connection = found->second;
  if (connection.counts) {
    idle_.erase({connection.idle_since, id});
    hosts_.at(connection.host).idle.erase({connection.idle_since, id});
  }
  connection.idle_since = 0;
}

void HttpConnections::Idle(Id id) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || !found->second.counts) return;
  Busy(id);
  Connection& connection = found->second;
  connection.idle_since = ++clock_;
  idle_.emplace(connection.idle_since, id);
  hosts_.at(connection.host).idle.emplace(connection.idle_since, id);
}

void HttpConnections::Closed(Id id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Uncount(id, &found->second);
  connections_.erase(found);
}

void HttpConnections::Uncount(Id id, Connection* connection) {
  if (!connection->counts) return;
  Busy(id);
  connection->counts = false;
  --counted_;
  const auto host = hosts_.find(connection->host);
  if (--host->second.connections == 0) hosts_.erase(host);
}

}  // namespace kwta::server

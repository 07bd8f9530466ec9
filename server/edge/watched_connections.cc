#include "server/edge/watched_connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/edge/host.h"
#include "server/services/caller.h"

namespace kwta::server {
namespace {

// A name for the peer of a connected socket, and for what gRPC calls it: host and port.
std::string PeerOf(int descriptor) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "";
  const bool four = peer.ss_family == AF_INET;
  if (!four && peer.ss_family != AF_INET6) return "";
  const uint16_t port = four ? reinterpret_cast<const sockaddr_in&>(peer).sin_port
                             : reinterpret_cast<const sockaddr_in6&>(peer).sin6_port;
  return absl::StrCat(HostOf(peer), " ", ntohs(port));
}

std::string PeerOf(const std::string& text) {
  const std::string host = HostOfPeer(text);
  return absl::StrCat(absl::string_view(host).substr(host.find(':') + 1), " ", text.substr(text.rfind(':') + 1));
}

}  // namespace

WatchTable& WatchTable::Instance() {
  static auto* table = new WatchTable;  // gRPC's threads may outlive main
  return *table;
}

void WatchTable::Expect(int descriptor, std::unique_ptr<WatchedConnection> connection) {
  connection->peer = PeerOf(descriptor);
  absl::MutexLock lock(&mutex_);
  if (!connection->peer.empty()) small_expected_[connection->peer] = connection->small_expected;
  // One whose handshake failed may have had the descriptor before.
  if (const auto earlier = expected_.find(descriptor); earlier != expected_.end()) ForgetPeer(*earlier->second);
  expected_[descriptor] = std::move(connection);
}

std::unique_ptr<WatchedConnection> WatchTable::TakeExpected(int descriptor) {
  absl::MutexLock lock(&mutex_);
  const auto found = expected_.find(descriptor);
  if (found == expected_.end()) return nullptr;
  std::unique_ptr<WatchedConnection> connection = std::move(found->second);
  expected_.erase(found);
  return connection;
}

void WatchTable::Add(const void* transport, std::unique_ptr<WatchedConnection> connection) {
  Shard& shard = ShardOf(transport);
  absl::MutexLock lock(&shard.mutex);
  shard.connections[transport] = std::move(connection);
}

WatchedConnection* WatchTable::Find(const void* transport) {
  Shard& shard = ShardOf(transport);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.connections.find(transport);
  return found == shard.connections.end() ? nullptr : found->second.get();
}

std::unique_ptr<WatchedConnection> WatchTable::Remove(const void* transport) {
  std::unique_ptr<WatchedConnection> connection;
  {
    Shard& shard = ShardOf(transport);
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.connections.find(transport);
    if (found == shard.connections.end()) return nullptr;
    connection = std::move(found->second);
    shard.connections.erase(found);
  }
  absl::MutexLock lock(&mutex_);
  ForgetPeer(*connection);
  return connection;
}

void WatchTable::ForgetPeer(const WatchedConnection& connection) {
  // Another connection may have the name by now.
  const auto named = small_expected_.find(connection.peer);
  if (named != small_expected_.end() && named->second.lock() == connection.small_expected) small_expected_.erase(named);
}

std::shared_ptr<void> WatchTable::ExpectSmall(const std::string& peer) {
  const std::string name = PeerOf(peer);
  std::shared_ptr<std::atomic<int>> expected;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = small_expected_.find(name);
    if (found != small_expected_.end()) expected = found->second.lock();
  }
  if (expected == nullptr) return nullptr;
  ++*expected;
  return std::shared_ptr<void>(expected.get(), [expected](void*) { --*expected; });
}

std::string WatchTable::EndLargest(ConnectionWatch::Shared* shared) {
  const void* largest = nullptr;
  int64_t most = 0;
  for (Shard& shard : shards_) {
    absl::MutexLock lock(&shard.mutex);
    for (const auto& [transport, connection] : shard.connections) {
      if (connection->shared.get() != shared || connection->ended || connection->descriptor < 0) continue;
      if (connection->held <= most) continue;
      most = connection->held;
      largest = transport;
    }
  }
  if (largest == nullptr) return "";
  Shard& shard = ShardOf(largest);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.connections.find(largest);
  if (found == shard.connections.end() || found->second->ended.exchange(true)) return "";
  ::shutdown(found->second->descriptor, SHUT_RDWR);
  shared->held_bytes.fetch_sub(found->second->held.exchange(0));
  return found->second->host;
}

void WatchTable::KeepDescriptor(const void* transport, int descriptor) {
  Shard& shard = ShardOf(transport);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.connections.find(transport);
  if (found != shard.connections.end()) found->second->descriptor = descriptor;
}

}  // namespace kwta::server

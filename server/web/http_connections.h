// Which connections of the HTTP port are there, and which one goes if there are too many.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace kwta::server {

// A connection is idle while no head of a request has arrived on it that is not answered yet. Not thread-safe.
class HttpConnections {
 public:
  using Id = const void*;

  HttpConnections(int limit, int limit_of_host) : limit_(limit), limit_of_host_(limit_of_host) {}

  struct Room {
    bool found = false;
    Id close = nullptr;    // the connection whose room this is; null: there was room
    bool of_host = false;  // the host has as many as it may have
  };
  // Finds room for one more connection of `host`. The connection to close no longer counts.
  Room FindRoom(const std::string& host);

  void Opened(Id id, std::string host);
  void Busy(Id id);
  void Idle(Id id);
  void Closed(Id id);

 private:
  struct Connection {
    std::string host;
    uint64_t idle_since = 0;  // a number that grows; 0: busy
    bool counts = true;
  };
  using IdleOnes = std::set<std::pair<uint64_t, Id>>;
  struct Host {
    int connections = 0;
    IdleOnes idle;  // the longest idle first
  };

  void Uncount(Id id, Connection* connection);

  const int limit_, limit_of_host_;
  uint64_t clock_ = 0;
  int counted_ = 0;
  std::map<Id, Connection> connections_;
  std::map<std::string, Host> hosts_;
  IdleOnes idle_;  // of all hosts
};

}  // namespace kwta::server

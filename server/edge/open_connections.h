// The connections that were given to gRPC and have not been closed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <unordered_map>

namespace kwta::server {

// gRPC owns the descriptors and tells nobody when it closes one. This class notices: it compares the sockets behind the
// descriptors with those that it saw first. Looking at ten thousand takes about 2 ms. Not thread-safe.
class OpenConnections {
 public:
  // `closed` is called with the host of each connection that is found closed.
  explicit OpenConnections(std::function<void(const std::string& host)> closed) : closed_(std::move(closed)) {}

  // Adds an open socket of `host`. If another connection had the descriptor, that one is closed.
  void Add(int descriptor, const std::string& host);
  // Looks which ones are closed.
  void Sweep();
  size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    std::string host;
    dev_t device;
    ino_t inode;
  };

  const std::function<void(const std::string& host)> closed_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace kwta::server

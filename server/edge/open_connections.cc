#include "server/edge/open_connections.h"

#include <sys/stat.h>

namespace kwta::server {

void OpenConnections::Add(int descriptor, const std::string& host) {
  if (const auto earlier = connections_.find(descriptor); earlier != connections_.end()) {
    closed_(earlier->second.host);
    connections_.erase(earlier);
  }
  struct stat socket = {};
  ::fstat(descriptor, &socket);
  connections_[descriptor] = {host, socket.st_dev, socket.st_ino};
}

void OpenConnections::Sweep() {
  for (auto each = connections_.begin(); each != connections_.end();) {
    const Connection& connection = each->second;
    struct stat now = {};
    if (::fstat(each->first, &now) == 0 && now.st_dev == connection.device && now.st_ino == connection.inode) {
      ++each;
      continue;
    }
    closed_(connection.host);
    each = connections_.erase(each);
  }
}

}  // namespace kwta::server

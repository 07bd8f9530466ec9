// The connections of the gRPC port that are watched, by gRPC's objects. Private to connection_watch.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "server/edge/connection_meter.h"
#include "server/edge/connection_watch.h"
#include "server/edge/watch_trial.h"

// A type of gRPC's core.
struct grpc_chttp2_stream_map;

namespace kwta::server {

struct ConnectionWatch::Shared {
  Shared(const Options& options, Events events) : options(options), events(std::move(events)) {}

  const Options options;
  std::atomic<int64_t> held_bytes{0};
  absl::Mutex mutex;
  Events events ABSL_GUARDED_BY(mutex);  // empty: the watch is over
};

// A connection that gRPC serves. gRPC reads it on one thread at a time; `calls` and `held` may be read by any.
struct WatchedConnection {
  WatchedConnection(std::shared_ptr<ConnectionWatch::Shared> shared, std::string host, bool offender)
      : shared(std::move(shared)), host(std::move(host)), meter(offender, this->shared->options.max_message_bytes) {}

  const std::shared_ptr<ConnectionWatch::Shared> shared;
  std::shared_ptr<WatchTrial> trial;  // null: a real connection
  const std::string host;
  std::string peer;  // see PeerOf
  // Calls that wait for a small message.
  const std::shared_ptr<std::atomic<int>> small_expected = std::make_shared<std::atomic<int>>(0);
  // gRPC orders its reads of a connection, in a way that only gRPC sees.
  absl::Mutex mutex;
  ConnectionMeter meter ABSL_GUARDED_BY(mutex);
  grpc_chttp2_stream_map* streams = nullptr;
  std::atomic<int64_t> calls{0};
  std::atomic<int64_t> held{0};
  int socket = -1;
  // A duplicate of it while the connection holds many bytes, to end it from outside.
  std::atomic<int> descriptor{-1};
  std::atomic<bool> ended{false};
};

// The watched connections by their transports. Thread-safe.
class WatchTable {
 public:
  static WatchTable& Instance();

  // Keeps a connection until gRPC makes the transport of `descriptor`.
  void Expect(int descriptor, std::unique_ptr<WatchedConnection> connection);
  // Null: it was not expected.
  std::unique_ptr<WatchedConnection> TakeExpected(int descriptor);

  void Add(const void* transport, std::unique_ptr<WatchedConnection> connection);
  // The result lives as long as the transport. Null: not watched.
  WatchedConnection* Find(const void* transport);
  std::unique_ptr<WatchedConnection> Remove(const void* transport);

  // Shuts down the connection of `shared` that holds the most bytes, among those whose descriptor is kept, and counts
  // its bytes no longer. Returns its host; empty: there is none.
  std::string EndLargest(ConnectionWatch::Shared* shared);
  // See ConnectionWatch. Null: there is no such connection.
  std::shared_ptr<void> ExpectSmall(const std::string& peer);
  // Keeps a duplicate of the descriptor; -1: none.
  void KeepDescriptor(const void* transport, int descriptor);

 private:
  static constexpr size_t kShards = 16;

  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<const void*, std::unique_ptr<WatchedConnection>> connections ABSL_GUARDED_BY(mutex);
  };
  void ForgetPeer(const WatchedConnection& connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Shard& ShardOf(const void* transport) { return shards_[reinterpret_cast<uintptr_t>(transport) / 1024 % kShards]; }

  std::array<Shard, kShards> shards_;
  absl::Mutex mutex_;
  std::map<int, std::unique_ptr<WatchedConnection>> expected_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::weak_ptr<std::atomic<int>>> small_expected_ ABSL_GUARDED_BY(mutex_);  // by peer
};

}  // namespace kwta::server

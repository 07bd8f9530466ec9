#include "server/edge/connection_watch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <grpc/slice.h>
#include <grpcpp/version_info.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

// Types of gRPC's core, of which this file knows the names alone.
struct grpc_chttp2_transport;
struct grpc_chttp2_stream_map;
struct grpc_endpoint;
namespace grpc_core {
class ChannelArgs;
}

int grpc_endpoint_get_fd(grpc_endpoint* endpoint);
size_t grpc_chttp2_stream_map_size(grpc_chttp2_stream_map* map);
void* grpc_chttp2_stream_map_find(grpc_chttp2_stream_map* map, uint32_t key);

// Symbols of libgrpc.so 1.51.1.
#define KWTA_PERFORM_READ "_Z24grpc_chttp2_perform_readP21grpc_chttp2_transportRK10grpc_slice"
#define KWTA_CREATE_TRANSPORT "_Z28grpc_create_chttp2_transportRKN9grpc_core11ChannelArgsEP13grpc_endpointb"
#define KWTA_INIT_MAP "_Z27grpc_chttp2_stream_map_initP22grpc_chttp2_stream_mapm"
#define KWTA_END_TRANSPORT "_ZN21grpc_chttp2_transportD1Ev"
#define KWTA_BEGIN_STREAM \
  "_ZN18grpc_chttp2_streamC1EP21grpc_chttp2_transportP20grpc_stream_refcountPKvPN9grpc_core5ArenaE"
#define KWTA_END_STREAM "_ZN18grpc_chttp2_streamD1Ev"

static_assert(GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51,
              "the functions below are those of gRPC 1.51: look at them again for another one");

namespace kwta::server {

struct ConnectionWatch::Shared {
  Shared(const Options& options, Ended ended) : options(options), ended(std::move(ended)) {}

  const Options options;
  std::atomic<int64_t> held_bytes{0};
  absl::Mutex mutex;
  Ended ended ABSL_GUARDED_BY(mutex);  // empty: the watch is over
};

namespace {

// A connection that gRPC serves. gRPC reads it on one thread at a time; `calls` and `held` may be read by any.
struct WatchedConnection {
  WatchedConnection(std::shared_ptr<ConnectionWatch::Shared> shared, std::string host, bool offender)
      : shared(std::move(shared)), host(std::move(host)), meter(offender) {}

  const std::shared_ptr<ConnectionWatch::Shared> shared;
  const std::string host;
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

// From this many held bytes on, a connection may be ended for them while it sends nothing.
constexpr int64_t kManyBytes = 1 << 20;
constexpr size_t kShards = 16;

// The watched connections by their transports.
class WatchTable {
 public:
  static WatchTable& Instance() {
    static auto* table = new WatchTable;  // gRPC's threads may outlive main
    return *table;
  }

  void Expect(int descriptor, std::unique_ptr<WatchedConnection> connection) {
    absl::MutexLock lock(&mutex_);
    expected_[descriptor] = std::move(connection);
  }
  std::unique_ptr<WatchedConnection> TakeExpected(int descriptor) {
    absl::MutexLock lock(&mutex_);
    const auto found = expected_.find(descriptor);
    if (found == expected_.end()) return nullptr;
    std::unique_ptr<WatchedConnection> connection = std::move(found->second);
    expected_.erase(found);
    return connection;
  }

  void Add(const void* transport, std::unique_ptr<WatchedConnection> connection) {
    Shard& shard = ShardOf(transport);
    absl::MutexLock lock(&shard.mutex);
    shard.connections[transport] = std::move(connection);
  }
  // The result lives as long as the transport. Null: not watched.
  WatchedConnection* Find(const void* transport) {
    Shard& shard = ShardOf(transport);
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.connections.find(transport);
    return found == shard.connections.end() ? nullptr : found->second.get();
  }
  std::unique_ptr<WatchedConnection> Remove(const void* transport) {
    Shard& shard = ShardOf(transport);
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.connections.find(transport);
    if (found == shard.connections.end()) return nullptr;
    std::unique_ptr<WatchedConnection> connection = std::move(found->second);
    shard.connections.erase(found);
    return connection;
  }

  // Shuts down the connection of `shared` that holds the most bytes. Returns its host; empty: none holds many.
  std::string EndLargest(const ConnectionWatch::Shared* shared) {
    const void* largest = nullptr;
    int64_t most = 0;
    for (Shard& shard : shards_) {
      absl::MutexLock lock(&shard.mutex);
      for (const auto& [transport, connection] : shard.connections) {
        if (connection->shared.get() != shared || connection->held <= most || connection->descriptor < 0) continue;
        most = connection->held;
        largest = transport;
      }
    }
    if (largest == nullptr) return "";
    Shard& shard = ShardOf(largest);
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.connections.find(largest);
    if (found == shard.connections.end() || found->second->ended) return "";
    found->second->ended = true;
    ::shutdown(found->second->descriptor, SHUT_RDWR);
    return found->second->host;
  }

  // Keeps a duplicate of the descriptor, or closes it.
  void KeepDescriptor(const void* transport, int descriptor) {
    Shard& shard = ShardOf(transport);
    absl::MutexLock lock(&shard.mutex);
    const auto found = shard.connections.find(transport);
    if (found != shard.connections.end()) found->second->descriptor = descriptor;
  }

 private:
  struct Shard {
    absl::Mutex mutex;
    absl::flat_hash_map<const void*, std::unique_ptr<WatchedConnection>> connections ABSL_GUARDED_BY(mutex);
  };
  Shard& ShardOf(const void* transport) { return shards_[reinterpret_cast<uintptr_t>(transport) / 1024 % kShards]; }

  std::array<Shard, kShards> shards_;
  absl::Mutex mutex_;
  std::map<int, std::unique_ptr<WatchedConnection>> expected_ ABSL_GUARDED_BY(mutex_);
};

// The library's own function behind the one of the same name here. Null: there is none.
template <typename Function>
Function* Own(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// The words at the start of gRPC's stream object are searched for its transport. Negative: not found yet.
constexpr int kSearchedWords = 16;
std::atomic<int> transport_word{-1};

// The map of streams that was made last on this thread.
thread_local grpc_chttp2_stream_map* newest_map = nullptr;

absl::Status EndedFor(Offence offence) {
  return absl::ResourceExhaustedError(absl::StrCat("the connection was ended: ", OffenceName(offence)));
}

void Tell(ConnectionWatch::Shared* shared, const std::string& host, Offence offence) {
  absl::MutexLock lock(&shared->mutex);
  if (shared->ended) shared->ended(host, offence);
}

// Counts what the connection holds, and ends the one that holds the most if all hold too much.
void CountHeld(const void* transport, WatchedConnection* connection, int64_t held) {
  const int64_t before = connection->held.exchange(held);
  if (held >= kManyBytes && connection->descriptor < 0) {
    WatchTable::Instance().KeepDescriptor(transport, ::fcntl(connection->socket, F_DUPFD_CLOEXEC, 0));
  } else if (held < kManyBytes && connection->descriptor >= 0) {
    ::close(connection->descriptor);
    WatchTable::Instance().KeepDescriptor(transport, -1);
  }
  ConnectionWatch::Shared* shared = connection->shared.get();
  const int64_t all = shared->held_bytes.fetch_add(held - before) + held - before;
  if (held <= before || all <= shared->options.max_held_bytes) return;
  const std::string host = WatchTable::Instance().EndLargest(shared);
  if (!host.empty()) Tell(shared, host, Offence::kHeldBytes);
}

// Returns OK if gRPC may have the bytes.
absl::Status Inspect(grpc_chttp2_transport* transport, const grpc_slice& slice) {
  WatchedConnection* connection = WatchTable::Instance().Find(transport);
  if (connection == nullptr) return absl::OkStatus();
  if (connection->ended) return EndedFor(Offence::kHeldBytes);
  ConnectionState state;
  state.open_streams = static_cast<int64_t>(grpc_chttp2_stream_map_size(connection->streams));
  state.calls_in_memory = transport_word < 0 ? state.open_streams : connection->calls.load();
  state.is_open = [map = connection->streams](uint32_t stream) {
    return grpc_chttp2_stream_map_find(map, stream) != nullptr;
  };
  Offence offence = Offence::kNone;
  int64_t held = 0;
  {
    absl::MutexLock lock(&connection->mutex);
    offence = connection->meter.Feed(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice), SteadyTime::Now(), state);
    held = connection->meter.held_bytes();
  }
  if (offence == Offence::kNone) {
    CountHeld(transport, connection, held);
    return absl::OkStatus();
  }
  connection->ended = true;
  Tell(connection->shared.get(), connection->host, offence);
  return EndedFor(offence);
}

void Forget(const void* transport) {
  const std::unique_ptr<WatchedConnection> connection = WatchTable::Instance().Remove(transport);
  if (connection == nullptr) return;
  { absl::MutexLock last_read_is_over(&connection->mutex); }
  connection->shared->held_bytes.fetch_sub(connection->held);
  if (connection->descriptor >= 0) ::close(connection->descriptor);
}

using PerformRead = absl::Status(grpc_chttp2_transport*, const grpc_slice&);
using CreateTransport = void*(const grpc_core::ChannelArgs&, grpc_endpoint*, bool);
using InitMap = void(grpc_chttp2_stream_map*, size_t);
using EndTransport = void(void*);
using BeginStream = void(void*, grpc_chttp2_transport*, void*, const void*, void*);
using EndStream = void(void*);

struct OwnFunctions {
  PerformRead* const read = Own<PerformRead>(KWTA_PERFORM_READ);
  CreateTransport* const create = Own<CreateTransport>(KWTA_CREATE_TRANSPORT);
  InitMap* const init_map = Own<InitMap>(KWTA_INIT_MAP);
  EndTransport* const end_transport = Own<EndTransport>(KWTA_END_TRANSPORT);
  BeginStream* const begin_stream = Own<BeginStream>(KWTA_BEGIN_STREAM);
  EndStream* const end_stream = Own<EndStream>(KWTA_END_STREAM);
};

const OwnFunctions& Library() {
  static const auto* functions = new OwnFunctions;
  return *functions;
}

}  // namespace

ConnectionWatch::ConnectionWatch(const Options& options, Ended ended)
    : shared_(std::make_shared<Shared>(options, std::move(ended))) {}

ConnectionWatch::~ConnectionWatch() {
  absl::MutexLock lock(&shared_->mutex);
  shared_->ended = nullptr;
}

bool ConnectionWatch::Works() {
  const OwnFunctions& own = Library();
  return own.read != nullptr && own.create != nullptr && own.init_map != nullptr && own.end_transport != nullptr &&
         own.begin_stream != nullptr && own.end_stream != nullptr;
}

int64_t ConnectionWatch::held_bytes() const { return shared_->held_bytes; }

void ConnectionWatch::Expect(int descriptor, const std::string& host, bool offender) {
  WatchTable::Instance().Expect(descriptor, std::make_unique<WatchedConnection>(shared_, host, offender));
}

}  // namespace kwta::server

// What libgrpc.so calls in place of its own functions. The symbols are those of gRPC 1.51.1.

void* WatchCreateTransport(const grpc_core::ChannelArgs& arguments, grpc_endpoint* endpoint,
                           bool is_client) __asm__(KWTA_CREATE_TRANSPORT);
void* WatchCreateTransport(const grpc_core::ChannelArgs& arguments, grpc_endpoint* endpoint, bool is_client) {
  const int descriptor = is_client ? -1 : grpc_endpoint_get_fd(endpoint);
  void* transport = kwta::server::Library().create(arguments, endpoint, is_client);
  if (descriptor < 0) return transport;
  auto& table = kwta::server::WatchTable::Instance();
  auto connection = table.TakeExpected(descriptor);
  if (connection == nullptr) return transport;
  connection->streams = kwta::server::newest_map;
  connection->socket = descriptor;
  table.Add(transport, std::move(connection));
  return transport;
}

void WatchInitMap(grpc_chttp2_stream_map* map, size_t capacity) __asm__(KWTA_INIT_MAP);
void WatchInitMap(grpc_chttp2_stream_map* map, size_t capacity) {
  kwta::server::Library().init_map(map, capacity);
  kwta::server::newest_map = map;
}

absl::Status WatchPerformRead(grpc_chttp2_transport* transport, const grpc_slice& slice) __asm__(KWTA_PERFORM_READ);
absl::Status WatchPerformRead(grpc_chttp2_transport* transport, const grpc_slice& slice) {
  absl::Status status = kwta::server::Inspect(transport, slice);
  return status.ok() ? kwta::server::Library().read(transport, slice) : status;
}

void WatchEndTransport(void* transport) __asm__(KWTA_END_TRANSPORT);
void WatchEndTransport(void* transport) {
  kwta::server::Forget(transport);
  kwta::server::Library().end_transport(transport);
}

void WatchBeginStream(void* stream, grpc_chttp2_transport* transport, void* references, const void* data,
                      void* arena) __asm__(KWTA_BEGIN_STREAM);
void WatchBeginStream(void* stream, grpc_chttp2_transport* transport, void* references, const void* data, void* arena) {
  // The library's constructor may let the stream go again, so it counts beforehand.
  auto* connection = kwta::server::WatchTable::Instance().Find(transport);
  if (connection != nullptr) connection->calls.fetch_add(1);
  kwta::server::Library().begin_stream(stream, transport, references, data, arena);
  if (kwta::server::transport_word >= 0) return;
  for (int word = 0; word < kwta::server::kSearchedWords; ++word) {
    if (static_cast<void**>(stream)[word] == transport) {
      kwta::server::transport_word = word;
      return;
    }
  }
}

void WatchEndStream(void* stream) __asm__(KWTA_END_STREAM);
void WatchEndStream(void* stream) {
  const int word = kwta::server::transport_word;
  auto* connection = word < 0 ? nullptr : kwta::server::WatchTable::Instance().Find(static_cast<void**>(stream)[word]);
  if (connection != nullptr) connection->calls.fetch_sub(1);
  kwta::server::Library().end_stream(stream);
}

#undef KWTA_PERFORM_READ
#undef KWTA_CREATE_TRANSPORT
#undef KWTA_INIT_MAP
#undef KWTA_END_TRANSPORT
#undef KWTA_BEGIN_STREAM
#undef KWTA_END_STREAM

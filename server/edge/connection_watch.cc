#include "server/edge/connection_watch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <grpc/slice.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/version_info.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/edge/watch_trial.h"
#include "server/edge/watched_connections.h"
#include "server/refusal.h"

// Types of gRPC's core, of which this file knows the names alone.
struct grpc_chttp2_transport;
struct grpc_chttp2_stream;
struct grpc_chttp2_stream_map;
struct grpc_endpoint;
namespace grpc_core {
class ChannelArgs;
}

int grpc_endpoint_get_fd(grpc_endpoint* endpoint);
size_t grpc_chttp2_stream_map_size(grpc_chttp2_stream_map* map);
void* grpc_chttp2_stream_map_find(grpc_chttp2_stream_map* map, uint32_t key);
void grpc_chttp2_cancel_stream(grpc_chttp2_transport* transport, grpc_chttp2_stream* stream, absl::Status reason);

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

namespace {

constexpr char kKnownVersion[] = "1.51.";
// From this many held bytes on, a connection may be ended for them while it sends nothing.
constexpr int64_t kManyBytes = 256 << 10;

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
  if (shared->events.ended) shared->events.ended(host, offence);
}

absl::Status RefusedFor(const RefusedMessage& message, const ConnectionWatch::Options& options) {
  if (message.too_large) return MessageTooLarge(message.bytes, options.max_message_bytes);
  return absl::ResourceExhaustedError(
      absl::StrCat("the connection has begun so many messages that those that are not whole take ",
                   ConnectionMeter::kMostHeld, " bytes; try again later, or send fewer at once"));
}

// Counts what the connection holds, and ends the one that holds the most if all hold too much. Returns whether that is
// this one.
bool CountHeld(const void* transport, WatchedConnection* connection, int64_t held) {
  const int64_t before = connection->held.exchange(held);
  if (held >= kManyBytes && connection->descriptor < 0) {
    WatchTable::Instance().KeepDescriptor(transport, ::fcntl(connection->socket, F_DUPFD_CLOEXEC, 0));
  } else if (held < kManyBytes && connection->descriptor >= 0) {
    ::close(connection->descriptor);
    WatchTable::Instance().KeepDescriptor(transport, -1);
  }
  ConnectionWatch::Shared* shared = connection->shared.get();
  const int64_t all = shared->held_bytes.fetch_add(held - before) + held - before;
  if (held <= before || all <= shared->options.max_held_bytes) return false;
  const std::string host = WatchTable::Instance().EndLargest(shared);
  if (host.empty()) return true;  // each holds little, so the one that wants more goes
  Tell(shared, host, Offence::kHeldBytes);
  return false;
}

// Returns OK if gRPC may have the bytes.
absl::Status Inspect(grpc_chttp2_transport* transport, WatchedConnection* connection, const grpc_slice& slice) {
  if (connection->trial != nullptr) ++connection->trial->reads;
  if (connection->ended) return EndedFor(Offence::kHeldBytes);
  ConnectionState state;
  state.open_streams = static_cast<int64_t>(grpc_chttp2_stream_map_size(connection->streams));
  state.calls_in_memory = transport_word < 0 ? state.open_streams : connection->calls.load();
  state.expects_small = *connection->small_expected > 0;
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
  if (offence == Offence::kNone && CountHeld(transport, connection, held)) offence = Offence::kHeldBytes;
  if (offence == Offence::kNone) return absl::OkStatus();
  connection->ended = true;
  Tell(connection->shared.get(), connection->host, offence);
  return EndedFor(offence);
}

// Ends the calls whose messages must be refused. gRPC orders this with its reads.
void RefuseMessages(grpc_chttp2_transport* transport, WatchedConnection* connection) {
  std::vector<RefusedMessage> refused;
  {
    absl::MutexLock lock(&connection->mutex);
    refused = connection->meter.TakeRefused();
  }
  for (const RefusedMessage& message : refused) {
    void* stream = grpc_chttp2_stream_map_find(connection->streams, message.stream);
    if (stream == nullptr) continue;
    ConnectionWatch::Shared* shared = connection->shared.get();
    {
      absl::MutexLock lock(&shared->mutex);
      if (shared->events.refused) shared->events.refused();
    }
    grpc_chttp2_cancel_stream(transport, static_cast<grpc_chttp2_stream*>(stream),
                              RefusedFor(message, shared->options));
  }
}

void Forget(const void* transport) {
  const std::unique_ptr<WatchedConnection> connection = WatchTable::Instance().Remove(transport);
  if (connection == nullptr) return;
  { absl::MutexLock last_read_is_over(&connection->mutex); }
  connection->shared->held_bytes.fetch_sub(connection->held);
  if (connection->descriptor >= 0) ::close(connection->descriptor);
  if (connection->trial != nullptr) connection->trial->over = true;
}

void CallBegins(const void* transport) {
  WatchedConnection* connection = WatchTable::Instance().Find(transport);
  if (connection == nullptr) return;
  ++connection->calls;
  if (connection->trial != nullptr) ++connection->trial->calls_begun;
}

void CallEnds(const void* transport) {
  WatchedConnection* connection = WatchTable::Instance().Find(transport);
  if (connection == nullptr) return;
  --connection->calls;
  if (connection->trial != nullptr) ++connection->trial->calls_ended;
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

ConnectionWatch::ConnectionWatch(const Options& options, Events events)
    : shared_(std::make_shared<Shared>(options, std::move(events))) {}

ConnectionWatch::~ConnectionWatch() {
  absl::MutexLock lock(&shared_->mutex);
  shared_->events = {};
}

absl::Status ConnectionWatch::Works() {
  static const absl::Status works = [] {
    const std::string version = grpc::Version();
    if (!absl::StartsWith(version, kKnownVersion)) {
      return absl::FailedPreconditionError(
          absl::StrCat("this is gRPC ", version, ", and it knows only ", kKnownVersion, "*"));
    }
    const OwnFunctions& own = Library();
    if (own.read == nullptr || own.create == nullptr || own.init_map == nullptr || own.end_transport == nullptr ||
        own.begin_stream == nullptr || own.end_stream == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("this build of gRPC ", version, " has other functions"));
    }
    return TryWatch([](int descriptor, const std::shared_ptr<WatchTrial>& trial) {
      auto connection = std::make_unique<WatchedConnection>(std::make_shared<Shared>(Options(), Events()), "", false);
      connection->trial = trial;
      WatchTable::Instance().Expect(descriptor, std::move(connection));
    });
  }();
  return works;
}

int64_t ConnectionWatch::held_bytes() const { return shared_->held_bytes; }

void ConnectionWatch::Expect(int descriptor, const std::string& host, bool offender) {
  if (!Works().ok()) return;
  WatchTable::Instance().Expect(descriptor, std::make_unique<WatchedConnection>(shared_, host, offender));
}

std::shared_ptr<void> ConnectionWatch::ExpectSmall(const std::string& peer) {
  return WatchTable::Instance().ExpectSmall(peer);
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
  auto* connection = kwta::server::WatchTable::Instance().Find(transport);
  if (connection == nullptr) return kwta::server::Library().read(transport, slice);
  absl::Status status = kwta::server::Inspect(transport, connection, slice);
  if (!status.ok()) return status;
  status = kwta::server::Library().read(transport, slice);
  if (status.ok()) kwta::server::RefuseMessages(transport, connection);
  return status;
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
  kwta::server::CallBegins(transport);
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
  if (word >= 0) kwta::server::CallEnds(static_cast<void**>(stream)[word]);
  kwta::server::Library().end_stream(stream);
}

#undef KWTA_PERFORM_READ
#undef KWTA_CREATE_TRANSPORT
#undef KWTA_INIT_MAP
#undef KWTA_END_TRANSPORT
#undef KWTA_BEGIN_STREAM
#undef KWTA_END_STREAM

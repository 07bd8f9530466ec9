#include "server/edge/connection_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr char kHello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr int kDataType = 0, kHeadersType = 1, kResetType = 3, kSettingsType = 4, kPingType = 6, kWindowUpdateType = 8;
constexpr int kEndOfHeaders = 4, kConfirms = 1;

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> 8 * i));
  return text;
}

std::string FrameOf(int type, int flags, uint32_t stream, const std::string& payload = "") {
  return Number(payload.size(), 3) + Number(type, 1) + Number(flags, 1) + Number(stream, 4) + payload;
}

std::string HeadersOf(uint32_t stream) {
  const auto field = [](const std::string& name, const std::string& value) {
    return Number(0, 1) + Number(name.size(), 1) + name + Number(value.size(), 1) + value;
  };
  return FrameOf(kHeadersType, kEndOfHeaders, stream,
                 field(":method", "POST") + field(":scheme", "http") + field(":path", "/some/method") +
                     field(":authority", "x") + field("te", "trailers") + field("content-type", "application/grpc"));
}

// The client's end of a connection. Reads what the server sends, so that it can go on.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) { Send(kHello + FrameOf(kSettingsType, 0, 0)); }
  ~Peer() { ::close(descriptor_); }

  // False if the server has closed the connection.
  bool Send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }
  // Reads until `text` has come. False if the connection ends first.
  bool Await(const std::string& text) {
    char block[4096];
    while (read_.find(text) == std::string::npos) {
      const ssize_t count = ::recv(descriptor_, block, sizeof(block), 0);
      if (count <= 0) return false;
      read_.append(block, static_cast<size_t>(count));
    }
    return true;
  }
  // Whether the server has taken everything, which it has if it answers a ping.
  bool Alive() {
    const std::string number = Number(++pings_, 8);
    return Send(FrameOf(kPingType, 0, 0, number)) && Await(FrameOf(kPingType, kConfirms, 0, number));
  }
  void AwaitEnd() {
    while (Await("\1 never sent \1")) {
    }
  }

 private:
  const int descriptor_;
  std::string read_;
  uint64_t pings_ = 0;
};

// How many of something there are.
class Count {
 public:
  void Add(int more) {
    absl::MutexLock lock(&mutex_);
    count_ += more;
  }
  void AwaitNone() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* count) { return *count == 0; }, &count_));
  }

 private:
  absl::Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A call of any method: its message is read, and then it ends.
class OneCall {
 public:
  OneCall(grpc::AsyncGenericService* service, grpc::ServerCompletionQueue* queue, Count* calls)
      : service_(*service), queue_(*queue), calls_(*calls) {
    calls_.Add(1);
    service_.RequestCall(&context_, &stream_, &queue_, &queue_, this);
  }
  ~OneCall() { calls_.Add(-1); }

  void Go(bool ok) {
    switch (std::exchange(step_, step_ + 1)) {
      case 0:
        if (!ok) break;
        new OneCall(&service_, &queue_, &calls_);
        return stream_.Read(&message_, this);
      case 1:
        return stream_.Finish(grpc::Status::OK, this);
      default:
        break;
    }
    delete this;
  }

 private:
  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  Count& calls_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer message_;
  int step_ = 0;
};

// A gRPC server that takes every call.
class ConnectionWatchTest : public ::testing::Test {
 protected:
  ConnectionWatchTest() {
    grpc::ServerBuilder builder;
    builder.RegisterAsyncGenericService(&service_);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
    queue_ = builder.AddCompletionQueue();
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
    server_ = builder.BuildAndStart();
    new OneCall(&service_, queue_.get(), &calls_);
    thread_ = std::thread([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) static_cast<OneCall*>(tag)->Go(ok);
    });
  }
  ~ConnectionWatchTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    calls_.AwaitNone();  // gRPC accepts nothing for a queue that is shut down
    queue_->Shutdown();
    thread_.join();
  }

  void SetUp() override {
    if (absl::IsFailedPrecondition(ConnectionWatch::Works())) GTEST_SKIP() << ConnectionWatch::Works().message();
  }

  void Watch(const ConnectionWatch::Options& options) {
    ConnectionWatch::Events events;
    events.ended = [this](const std::string& host, Offence offence) {
      absl::MutexLock lock(&mutex_);
      ended_.emplace_back(host, offence);
    };
    events.refused = [this] {
      absl::MutexLock lock(&mutex_);
      ++refused_;
    };
    watch_ = std::make_unique<ConnectionWatch>(options, std::move(events));
  }
  std::unique_ptr<Peer> Connect(const std::string& host, bool offender = false) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (watch_ != nullptr) watch_->Expect(ends[0], host, offender);
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = ends[0];
    acceptor_->HandleNewConnection(&connection);
    return std::make_unique<Peer>(ends[1]);
  }
  std::vector<std::pair<std::string, Offence>> Ended() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }
  int Refused() {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }

  // Opens streams and resets them, one after the other, until the connection ends or `most` are done.
  static int Reset(Peer* peer, int most) {
    int done = 0;
    for (uint32_t stream = 1; done < most; stream += 2, ++done) {
      if (!peer->Send(HeadersOf(stream) + FrameOf(kResetType, 0, stream, Number(8, 4))) || !peer->Alive()) break;
    }
    return done;
  }

  absl::Mutex mutex_;
  std::vector<std::pair<std::string, Offence>> ended_ ABSL_GUARDED_BY(mutex_);
  int refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<ConnectionWatch> watch_;
  Count calls_;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

TEST_F(ConnectionWatchTest, ThisLibraryIsKnown) {
  EXPECT_TRUE(ConnectionWatch::Works().ok()) << ConnectionWatch::Works().message();
}

TEST_F(ConnectionWatchTest, RapidResetsEndTheConnectionThatMakesThem) {
  Watch({});
  const std::unique_ptr<Peer> honest = Connect("10.0.0.1"), attacker = Connect("10.0.0.2");
  EXPECT_TRUE(honest->Alive());
  const int resets = Reset(attacker.get(), 10'000);
  EXPECT_GE(resets, static_cast<int>(ConnectionMeter::kFirstResets) - 1);
  EXPECT_LT(resets, 10'000);
  attacker->AwaitEnd();
  EXPECT_THAT(Ended(), ElementsAre(Pair("10.0.0.2", Offence::kRapidResets)));
  EXPECT_TRUE(honest->Alive());
}

TEST_F(ConnectionWatchTest, AHostThatOffendedMayDoLess) {
  Watch({});
  const std::unique_ptr<Peer> attacker = Connect("10.0.0.2", /*offender=*/true);
  ASSERT_TRUE(attacker->Send(FrameOf(kSettingsType, kConfirms, 0)));
  EXPECT_LT(Reset(attacker.get(), 10'000), static_cast<int>(ConnectionMeter::kFirstResets) / 2);
  EXPECT_THAT(Ended(), ElementsAre(Pair("10.0.0.2", Offence::kRapidResets)));
}

// The streams must not add up: gRPC tells of the end of each.
TEST_F(ConnectionWatchTest, CallsThatEndAreForgotten) {
  Watch({});
  const std::unique_ptr<Peer> honest = Connect("10.0.0.1");
  ASSERT_TRUE(honest->Send(FrameOf(kSettingsType, kConfirms, 0)));
  const std::string whole = Number(0, 5);
  for (uint32_t stream = 1; stream < 2 * 3 * ConnectionMeter::kMostAbandoned; stream += 2) {
    ASSERT_TRUE(honest->Send(HeadersOf(stream) + FrameOf(kDataType, 1, stream, whole) +
                             FrameOf(kResetType, 0, stream, Number(8, 4))));
    if (stream % 64 == 1) {
      ASSERT_TRUE(honest->Alive()) << stream;
    }
  }
  EXPECT_THAT(Ended(), ElementsAre());
}

TEST_F(ConnectionWatchTest, AMessageThatIsTooLargeIsRefusedAtItsLength) {
  ConnectionWatch::Options options;
  options.max_message_bytes = 1000;
  Watch(options);
  const std::unique_ptr<Peer> peer = Connect("10.0.0.1");
  ASSERT_TRUE(peer->Send(HeadersOf(1) + FrameOf(kDataType, 0, 1, Number(0, 1) + Number(1000, 4))));
  ASSERT_TRUE(peer->Alive());
  EXPECT_EQ(Refused(), 0);
  ASSERT_TRUE(peer->Send(HeadersOf(3) + FrameOf(kDataType, 0, 3, Number(0, 1) + Number(1001, 4))));
  EXPECT_TRUE(peer->Await("--max-message-bytes"));
  EXPECT_TRUE(peer->Alive());
  EXPECT_EQ(Refused(), 1);
  EXPECT_THAT(Ended(), ElementsAre());
}

TEST_F(ConnectionWatchTest, TheConnectionThatHoldsMostIsEndedThoughItIsSilent) {
  ConnectionWatch::Options options;
  options.max_held_bytes = 1'000'000;
  Watch(options);
  const auto hold = [](Peer* peer, size_t bytes) {
    // The server announces room for the whole message once it knows how long that is. A stream that sends more than
    // was announced would be ended.
    const std::string begin = HeadersOf(1) + FrameOf(kDataType, 0, 1, Number(0, 1) + Number(2'000'000, 4));
    const std::string room = Number(4, 3) + Number(kWindowUpdateType, 1) + Number(0, 1) + Number(1, 4);
    if (!peer->Send(begin) || !peer->Await(room) || !peer->Alive()) return false;
    std::string frames;
    for (size_t at = 0; at < bytes; at += 16384) {
      frames += FrameOf(kDataType, 0, 1, std::string(std::min<size_t>(16384, bytes - at), 'x'));
    }
    return peer->Send(frames) && peer->Alive();
  };
  const std::unique_ptr<Peer> small = Connect("10.0.0.1"), large = Connect("10.0.0.2"), last = Connect("10.0.0.3");
  ASSERT_TRUE(hold(small.get(), 300'000));
  ASSERT_TRUE(hold(large.get(), 600'000));
  EXPECT_THAT(Ended(), ElementsAre());
  EXPECT_TRUE(hold(last.get(), 200'000));
  large->AwaitEnd();
  EXPECT_THAT(Ended(), ElementsAre(Pair("10.0.0.2", Offence::kHeldBytes)));
  EXPECT_TRUE(small->Alive());
}

TEST_F(ConnectionWatchTest, OnlyExpectedConnectionsAreWatched) {
  Watch({});
  watch_.reset();
  const std::unique_ptr<Peer> peer = Connect("10.0.0.1");
  EXPECT_EQ(Reset(peer.get(), 300), 300);
  EXPECT_THAT(Ended(), ElementsAre());
}

}  // namespace
}  // namespace kwta::server

#include "server/edge/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Long enough for a slow machine; nothing waits so long on a good one.
constexpr absl::Duration kSoon = absl::Seconds(20);

class AcceptorTest : public ::testing::Test {
 protected:
  ~AcceptorTest() override {
    acceptor_.reset();
    CloseGiven();
    for (const int client : clients_) ::close(client);
  }

  void Start(int most, int most_of_one_host) {
    AcceptorEvents events;
    events.opened = [this] {
      absl::MutexLock lock(&mutex_);
      ++open_;
    };
    events.closed = [this] {
      absl::MutexLock lock(&mutex_);
      --open_;
    };
    events.refused = [this](ConnectionRefusal reason) {
      absl::MutexLock lock(&mutex_);
      refused_.push_back(reason);
    };
    acceptor_ = Acceptor::Open({"127.0.0.1:0", most, most_of_one_host}, std::move(events)).value();
    acceptor_->Start([this](int descriptor, const std::string& host, bool offender) {
      absl::MutexLock lock(&mutex_);
      given_.push_back(descriptor);
      hosts_.push_back(absl::StrCat(host, offender ? " offender" : ""));
    });
  }

  int Connect() {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(acceptor_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    clients_.push_back(client);
    return client;
  }

  // Waits until the other end closes.
  static bool IsClosed(int client) {
    char byte;
    return ::recv(client, &byte, 1, 0) <= 0;
  }

  bool AwaitGiven(size_t count) {
    const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return given_.size() >= count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), kSoon);
  }

  bool AwaitOpen(int count) {
    const auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return open_ == count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kSoon);
  }

  bool AwaitNoTrouble() {
    const absl::Time end = absl::Now() + kSoon;
    while (!acceptor_->trouble().empty() && absl::Now() < end) {
    }
    return acceptor_->trouble().empty();
  }

  void CloseGiven() {
    absl::MutexLock lock(&mutex_);
    for (const int descriptor : std::exchange(given_, {})) ::close(descriptor);
  }

  std::vector<ConnectionRefusal> refused() {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }

  absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<ConnectionRefusal> refused_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> given_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> hosts_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> clients_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, GivesConnectionsThatDoNotBlock) {
  Start(4, 4);
  Connect();
  ASSERT_TRUE(AwaitGiven(1));
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(hosts_.at(0), "127.0.0.1");
  EXPECT_NE(::fcntl(given_.at(0), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(given_.at(0), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(AcceptorTest, RefusesBeyondTheLimitOfAHostAndStaysReady) {
  Start(4, 2);
  Connect();
  Connect();
  ASSERT_TRUE(AwaitGiven(2));
  EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_THAT(refused(), ::testing::ElementsAre(ConnectionRefusal::kHost));
  EXPECT_THAT(acceptor_->trouble(), IsEmpty());
}

TEST_F(AcceptorTest, RefusesBeyondTheLimitInAllUntilThereIsRoom) {
  Start(2, 2);
  Connect();
  Connect();
  ASSERT_TRUE(AwaitGiven(2));
  EXPECT_THAT(acceptor_->trouble(), HasSubstr("all 2 connections of --max-connections are open"));
  EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_THAT(refused(), ::testing::ElementsAre(ConnectionRefusal::kTotal));
  CloseGiven();
  ASSERT_TRUE(AwaitNoTrouble());
  EXPECT_TRUE(AwaitOpen(0));
  Connect();
  EXPECT_TRUE(AwaitGiven(1));
}

TEST_F(AcceptorTest, AcceptsAgainAfterDescriptorsRanOut) {
  Start(1000, 1000);
  const int early = Connect();
  ASSERT_TRUE(AwaitGiven(1));
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  clients_.push_back(late);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;  // fewer than are open
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(acceptor_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected = ::connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  std::string trouble;
  const absl::Time end = absl::Now() + kSoon;
  while (trouble.empty() && absl::Now() < end) trouble = acceptor_->trouble();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(connected, 0);
  EXPECT_THAT(trouble, HasSubstr("no descriptors"));
  ASSERT_TRUE(AwaitNoTrouble());
  Connect();
  EXPECT_TRUE(AwaitGiven(2));
  EXPECT_GE(early, 0);
}

TEST_F(AcceptorTest, ConnectionsOfAnOffenderComeOneByOne) {
  Start(1000, 1000);
  acceptor_->Offended("127.0.0.1");
  const absl::Time begin = absl::Now();
  constexpr int kConnections = 20;
  for (int i = 0; i < kConnections; ++i) Connect();
  ASSERT_TRUE(AwaitGiven(kConnections));
  EXPECT_GE(absl::Now() - begin, (kConnections - 1) * ConnectionLimits::kGap);
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(hosts_.at(0), "127.0.0.1 offender");
}

TEST_F(AcceptorTest, StoppedItListensNoLonger) {
  Start(4, 4);
  acceptor_->Stop();
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  clients_.push_back(client);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(acceptor_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_F(AcceptorTest, AUsedPortIsRefused) {
  Start(1, 1);
  const auto second = Acceptor::Open({absl::StrCat("127.0.0.1:", acceptor_->port()), 1, 1}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("choose another with --listen"));
}

}  // namespace
}  // namespace kwta::server

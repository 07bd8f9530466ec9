#include "server/edge/connection_meter.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kwta::server {
namespace {

constexpr uint8_t kDataFrame = 0, kHeadersFrame = 1, kResetFrame = 3, kSettingsFrame = 4, kPingFrame = 6,
                  kWindowUpdateFrame = 8, kContinuationFrame = 9;
constexpr uint8_t kEnd = 1, kAck = 1;
constexpr int64_t kLargestMessage = 64 << 20;

std::string BigEndian(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> 8 * i));
  return text;
}

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload = "") {
  return BigEndian(static_cast<uint32_t>(payload.size()), 3) + BigEndian(type, 1) + BigEndian(flags, 1) +
         BigEndian(stream, 4) + payload;
}

std::string Message(size_t bytes, size_t sent) {
  return BigEndian(0, 1) + BigEndian(static_cast<uint32_t>(bytes), 4) + std::string(sent, 'x');
}

// A connection whose client has said hello and confirmed the settings.
class Client {
 public:
  explicit Client(bool offender = false, bool confirm = true) : meter_(offender, kLargestMessage) {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettingsFrame, 0, 0));
    if (confirm) Send(Frame(kSettingsFrame, kAck, 0));
  }

  Offence Send(const std::string& bytes) {
    return meter_.Feed(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), now_, state_);
  }
  // A whole request of `bytes`.
  std::string Request(size_t bytes = 10) { return Begin(kEnd, Message(bytes, bytes)); }
  // Opens a stream and sends `data` on it.
  std::string Begin(uint8_t flags, const std::string& data) {
    const std::string open = Open();
    return open + Frame(kDataFrame, flags, stream_, data);
  }
  std::string Open() { return Frame(kHeadersFrame, 0, stream_ += 2, "headers"); }
  std::string OpenAndReset() {
    const std::string open = Open();
    return open + Reset();
  }
  std::string Reset() { return Reset(stream_); }
  static std::string Reset(uint32_t stream) { return Frame(kResetFrame, 0, stream, BigEndian(8, 4)); }
  void Pass(absl::Duration time) { now_ = now_ + time; }

  ConnectionMeter meter_;
  ConnectionState state_;
  uint32_t stream_ = 0xffffffff;  // so that the first one is 1
  SteadyTime now_ = SteadyTime::Now();
};

TEST(ConnectionMeterTest, RapidResetsEndTheConnection) {
  Client client;
  int resets = 0;
  while (client.Send(client.OpenAndReset()) == Offence::kNone) ASSERT_LT(++resets, 1000);
  EXPECT_EQ(resets, static_cast<int>(ConnectionMeter::kFirstResets));
  Client offender(true);
  resets = 0;
  while (offender.Send(offender.OpenAndReset()) == Offence::kNone) ASSERT_LT(++resets, 1000);
  EXPECT_EQ(resets, 10);
}

// Ten thousand calls a second, all of which pass their deadlines.
TEST(ConnectionMeterTest, AStormOfDeadlinesIsHonest) {
  for (const bool offender : {false, true}) {
    Client client(offender);
    for (int i = 0; i < 100'000; ++i) {
      ASSERT_EQ(client.Send(client.Request()), Offence::kNone);
      client.Pass(absl::Microseconds(100));
      ASSERT_EQ(client.Send(client.Reset()), Offence::kNone);
    }
  }
}

TEST(ConnectionMeterTest, DeadlinesInTheMiddleOfLargeMessagesAreHonest) {
  Client client;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(client.Send(client.Begin(0, Message(1 << 20, 16'000))), Offence::kNone);
    ASSERT_EQ(client.Send(client.Reset()), Offence::kNone);
  }
  EXPECT_EQ(client.meter_.held_bytes(), 0);
}

TEST(ConnectionMeterTest, ManyOldStreamsMayBeCancelledAtOnce) {
  Client client;
  for (int i = 0; i < 4000; ++i) ASSERT_EQ(client.Send(client.Open()), Offence::kNone);
  client.Pass(ConnectionMeter::kYoung);
  for (uint32_t stream = 1; stream <= client.stream_; stream += 2) {
    ASSERT_EQ(client.Send(Client::Reset(stream)), Offence::kNone);
  }
}

TEST(ConnectionMeterTest, CallsThatAreAbandonedFasterThanClearedAwayEndTheConnection) {
  Client client;
  client.state_.open_streams = 10;
  client.state_.calls_in_memory = 10 + ConnectionMeter::kMostAbandoned;
  EXPECT_EQ(client.Send(client.Request()), Offence::kNone);
  ++client.state_.calls_in_memory;
  EXPECT_EQ(client.Send(client.Request()), Offence::kAbandonedCalls);
}

TEST(ConnectionMeterTest, AnOffendersResetsAreCountedBeforeTheServerSeesThem) {
  Client client(true);
  std::string bytes;
  for (int i = 0; i < 201; ++i) {
    bytes += client.Request();
    bytes += client.Reset();
  }
  EXPECT_EQ(client.Send(bytes), Offence::kAbandonedCalls);
}

TEST(ConnectionMeterTest, SettingsAreConfirmedBeforeManyStreamsAreOpened) {
  Client client(false, /*confirm=*/false);
  for (int i = 0; i < ConnectionMeter::kMostBeforeSettings; ++i) ASSERT_EQ(client.Send(client.Open()), Offence::kNone);
  EXPECT_EQ(client.Send(client.Open()), Offence::kStreams);
}

TEST(ConnectionMeterTest, EndlessHeadersEndTheConnection) {
  Client client;
  ASSERT_EQ(client.Send(Frame(kHeadersFrame, 0, 1, std::string(1000, 'x'))), Offence::kNone);
  Offence offence = Offence::kNone;
  size_t bytes = 1000;
  for (; offence == Offence::kNone && bytes < 1 << 20; bytes += 16'000) {
    offence = client.Send(Frame(kContinuationFrame, 0, 1, std::string(16'000, 'x')));
  }
  EXPECT_EQ(offence, Offence::kHeaders);
  EXPECT_LT(bytes, ConnectionMeter::kMostHeaderBytes + 2 * 16'000);
  Client empty;
  ASSERT_EQ(empty.Send(Frame(kHeadersFrame, 0, 1, "x")), Offence::kNone);
  for (int i = 1; i < ConnectionMeter::kMostHeaderFrames; ++i) {
    ASSERT_EQ(empty.Send(Frame(kContinuationFrame, 0, 1)), Offence::kNone);
  }
  EXPECT_EQ(empty.Send(Frame(kContinuationFrame, 0, 1)), Offence::kHeaders);
}

TEST(ConnectionMeterTest, FloodsOfControlFramesEndTheConnection) {
  for (const std::string& frame : {Frame(kPingFrame, 0, 0, std::string(8, 'x')), Frame(kSettingsFrame, 0, 0),
                                   Frame(kDataFrame, 0, 1), Frame(2, 0, 1, "12345"), Frame(77, 0, 1)}) {
    Client client;
    Offence offence = Offence::kNone;
    for (int i = 0; i < 2000 && offence == Offence::kNone; ++i) offence = client.Send(frame);
    EXPECT_EQ(offence, Offence::kControlFrames);
  }
  Client client;
  Offence offence = Offence::kNone;
  for (int i = 0; i < 200'000 && offence == Offence::kNone; ++i) {
    offence = client.Send(Frame(kWindowUpdateFrame, 0, 0, BigEndian(1, 4)));
  }
  EXPECT_EQ(offence, Offence::kControlFrames);
}

// As some clients do: a ping at each round trip while data flows, and a window update or two for each answer.
TEST(ConnectionMeterTest, PingsAndWindowUpdatesOfABusyConnectionAreHonest) {
  Client client;
  for (int i = 0; i < 500'000; ++i) {
    const std::string request = client.Request();
    ASSERT_EQ(client.Send(request + Frame(kPingFrame, 0, 0, std::string(8, 'x')) +
                          Frame(kWindowUpdateFrame, 0, 0, BigEndian(1, 4)) +
                          Frame(kWindowUpdateFrame, 0, client.stream_, BigEndian(1, 4))),
              Offence::kNone);
    client.Pass(absl::Microseconds(10));
  }
  EXPECT_EQ(client.meter_.held_bytes(), 0);
}

TEST(ConnectionMeterTest, AnIdleConnectionMayPingForever) {
  Client client;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(client.Send(Frame(kPingFrame, 0, 0, std::string(8, 'x'))), Offence::kNone);
    client.Pass(absl::Seconds(5));
  }
}

TEST(ConnectionMeterTest, HeldBytesAreThoseOfUnfinishedMessages) {
  Client client;
  // A message of 32 MiB that comes slowly, in frames that stand across reads.
  constexpr size_t kMessage = 32 << 20, kPart = 16 << 10;
  ASSERT_EQ(client.Send(client.Begin(0, Message(kMessage, 0))), Offence::kNone);
  EXPECT_EQ(client.meter_.held_bytes(), 5);
  const std::string part = Frame(kDataFrame, 0, client.stream_, std::string(kPart, 'x'));
  for (size_t sent = kPart; sent <= kMessage; sent += kPart) {
    ASSERT_EQ(client.Send(part.substr(0, 7)), Offence::kNone);
    ASSERT_EQ(client.Send(part.substr(7)), Offence::kNone);
    client.Pass(absl::Seconds(1));
    ASSERT_EQ(client.meter_.held_bytes(), sent == kMessage ? 0 : static_cast<int64_t>(sent + 5));
  }
  // Two messages in a frame, and the beginning of a third.
  ASSERT_EQ(client.Send(Frame(kDataFrame, 0, client.stream_, Message(3, 3) + Message(0, 0) + Message(100, 7))),
            Offence::kNone);
  EXPECT_EQ(client.meter_.held_bytes(), 12);
  EXPECT_EQ(client.Send(client.Reset()), Offence::kNone);
  EXPECT_EQ(client.meter_.held_bytes(), 0);
}

TEST(ConnectionMeterTest, StreamsThatTheServerEndedHoldNothing) {
  Client client;
  ASSERT_EQ(client.Send(client.Begin(0, Message(1 << 20, 10'000))), Offence::kNone);
  EXPECT_EQ(client.meter_.held_bytes(), 10'005);
  client.state_.is_open = [](uint32_t) { return false; };
  ASSERT_EQ(client.Send(Frame(kDataFrame, 0, client.stream_, std::string(10'000, 'x'))), Offence::kNone);
  EXPECT_EQ(client.meter_.held_bytes(), 0);
}

TEST(ConnectionMeterTest, AMessageThatIsTooLargeIsRefusedAtItsLength) {
  Client client;
  ASSERT_EQ(client.Send(client.Begin(0, Message(kLargestMessage, 100))), Offence::kNone);
  EXPECT_TRUE(client.meter_.TakeRefused().empty());
  ASSERT_EQ(client.Send(client.Begin(0, Message(kLargestMessage + 1, 100))), Offence::kNone);
  const std::vector<RefusedMessage> refused = client.meter_.TakeRefused();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].stream, client.stream_);
  EXPECT_EQ(refused[0].bytes, kLargestMessage + 1);
  EXPECT_TRUE(refused[0].too_large);
  EXPECT_EQ(client.meter_.held_bytes(), 105);  // the first one
  EXPECT_TRUE(client.meter_.TakeRefused().empty());
}

TEST(ConnectionMeterTest, TheNewestMessagesAreRefusedIfAllTakeTooMuch) {
  constexpr size_t kEach = 10 << 20;
  Client client;
  std::vector<uint32_t> refused;
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(client.Send(client.Begin(0, Message(2 * kEach, kEach))), Offence::kNone);
    for (const RefusedMessage& each : client.meter_.TakeRefused()) {
      EXPECT_FALSE(each.too_large);
      refused.push_back(each.stream);
    }
    EXPECT_LE(client.meter_.held_bytes(), ConnectionMeter::kMostHeld);
  }
  EXPECT_EQ(refused, (std::vector<uint32_t>{9, 11, 13, 15}));
}

TEST(ConnectionMeterTest, OneLargeMessageMayTakeMore) {
  Client client;
  ASSERT_EQ(client.Send(client.Begin(0, Message(60 << 20, 0))), Offence::kNone);
  for (int i = 0; i < 59; ++i) {
    ASSERT_EQ(client.Send(Frame(kDataFrame, 0, client.stream_, std::string(1 << 20, 'x'))), Offence::kNone);
  }
  EXPECT_TRUE(client.meter_.TakeRefused().empty());
  ASSERT_EQ(client.Send(client.Begin(0, Message(10000, 5000))), Offence::kNone);
  EXPECT_TRUE(client.meter_.TakeRefused().empty());
  ASSERT_EQ(client.Send(client.Begin(0, Message(2 << 20, ConnectionMeter::kMostHeldBeside))), Offence::kNone);
  EXPECT_EQ(client.meter_.TakeRefused().size(), 1u);
}

TEST(ConnectionMeterTest, LittleIsTakenWhileASmallMessageIsExpected) {
  Client client;
  ASSERT_EQ(client.Send(client.Begin(0, Message(20 << 20, 10 << 20))), Offence::kNone);
  EXPECT_TRUE(client.meter_.TakeRefused().empty());
  client.state_.expects_small = true;
  ASSERT_EQ(client.Send(client.Begin(0, Message(20 << 20, 1000))), Offence::kNone);
  EXPECT_EQ(client.meter_.TakeRefused().size(), 2u);
  EXPECT_EQ(client.meter_.held_bytes(), 0);
}

}  // namespace
}  // namespace kwta::server

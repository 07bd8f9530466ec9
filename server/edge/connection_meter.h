// Counts what the client of one HTTP/2 connection sends, and says when it must stop. Knows no sockets and no gRPC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// Why a connection was ended. The names are those of metrics and logs.
enum class Offence { kNone, kRapidResets, kAbandonedCalls, kStreams, kHeaders, kControlFrames, kHeldBytes };
const char* OffenceName(Offence offence);

// What the server knows about a connection that its bytes do not tell.
struct ConnectionState {
  // Calls whose memory is not free yet, and those among them that neither side has ended.
  int64_t calls_in_memory = 0;
  int64_t open_streams = 0;
  // Whether a stream is among the open ones. Empty: all are.
  std::function<bool(uint32_t stream)> is_open;
  // A call waits for a message that is small.
  bool expects_small = false;
};

// A message that the server must refuse; the connection may go on.
struct RefusedMessage {
  uint32_t stream;
  int64_t bytes;   // as declared
  bool too_large;  // by itself; false: the connection holds too much in unfinished messages
};

// The rules, each with the least that breaks it. An honest client keeps them whatever its load.
//
// - Rapid resets (CVE-2023-44487): the client resets young streams before their request is whole, more than an
//   allowance of kFirstResets and kResetsPerSecond. Each whole request and each kBytesPerReset bytes of messages add
//   one. A client whose deadlines pass resets calls whose request is whole, or large; one that cancels many old streams
//   at once resets streams older than kYoung. Neither needs the allowance.
// - Abandoned calls: kMostAbandoned calls that somebody ended are still in memory, since the client ends them faster
//   than the server can clear them away.
// - Streams: kMostBeforeSettings streams are opened before the client has confirmed the server's settings, which limit
//   them.
// - Headers: a block of headers beyond kMostHeaderBytes or kMostHeaderFrames frames (endless CONTINUATION).
// - Control frames: PING, SETTINGS, PRIORITY, empty DATA and unknown frames beyond an allowance, to which each stream
//   and each message's frame adds; the same, larger, of WINDOW_UPDATE.
//
// Messages of more than max_message_bytes are refused as soon as their length is there. If messages that are not whole
// take more than kMostHeld, and those beside the largest more than kMostHeldBeside, the newest ones are refused; and if
// they take more than kMostHeldIfSmall while a small one is expected.
//
// The client of an offending host starts with less. Not thread-safe.
class ConnectionMeter {
 public:
  ConnectionMeter(bool offender, int64_t max_message_bytes);

  // Takes the next bytes. Anything but kNone: the server must not see these bytes, and the connection must end.
  Offence Feed(const uint8_t* bytes, size_t size, SteadyTime now, const ConnectionState& state);

  // Bytes of messages that have begun and are not whole.
  int64_t held_bytes() const { return held_bytes_; }
  // Messages to be refused once the server has seen the bytes of the last Feed. The meter counts them no longer.
  std::vector<RefusedMessage> TakeRefused() { return std::exchange(refused_, {}); }

  static constexpr double kFirstResets = 100;
  static constexpr double kResetsPerSecond = 50;
  static constexpr int64_t kBytesPerReset = 4096;
  static constexpr absl::Duration kYoung = absl::Seconds(1);
  static constexpr int64_t kMostAbandoned = 2000;
  static constexpr int kMostBeforeSettings = 1000;
  static constexpr size_t kMostHeaderBytes = 64 << 10;
  static constexpr int kMostHeaderFrames = 64;
  static constexpr int64_t kMostHeld = 48 << 20;
  static constexpr int64_t kMostHeldBeside = 256 << 10;
  static constexpr int64_t kMostHeldIfSmall = 8 << 20;

 private:
  // Fills with time up to `most`.
  struct Allowance {
    double held, per_second, most;
    SteadyTime filled;

    bool Take(double amount, SteadyTime now);
    void Add(double amount) { held = held + amount < most ? held + amount : most; }
  };
  // A stream on which the client may send more.
  struct Stream {
    SteadyTime opened;
    int64_t held = 0;  // bytes of the message that is not whole
    int64_t left = 0;  // bytes until it is
    int prefix_bytes = 0;
    uint32_t length = 0;
  };

  Offence BeginFrame(SteadyTime now);
  Offence BeginHeaders(SteadyTime now);
  Offence CountHeaders();
  Offence BeginReset(SteadyTime now);
  void FeedData(const uint8_t* bytes, size_t size);
  void Refuse(uint32_t id, const Stream& stream, bool too_large);
  bool HoldsTooMuch() const;
  void RefuseNewest();
  void EndFrame();
  void EndStream(uint32_t id, bool whole);
  void ForgetClosed(const ConnectionState& state);

  const bool offender_;
  const int64_t max_message_bytes_;
  bool expects_small_ = false;
  Allowance resets_, control_, window_updates_;

  size_t preface_left_;
  uint8_t header_[9];
  size_t header_bytes_ = 0;
  // The frame under way.
  size_t payload_left_ = 0;
  uint8_t type_ = 0, flags_ = 0;
  uint32_t id_ = 0;
  Stream* stream_ = nullptr;  // of a DATA frame; null: not one of ours

  uint32_t newest_id_ = 0;
  size_t header_block_bytes_ = 0;
  int header_block_frames_ = 0;
  bool settings_confirmed_ = false;
  int opened_before_settings_ = 0;
  int resets_in_these_bytes_ = 0;
  int64_t held_bytes_ = 0;
  std::vector<RefusedMessage> refused_;
  int64_t unpaid_bytes_ = 0;  // not turned into allowance yet
  size_t bytes_since_look_ = 0;
  absl::flat_hash_map<uint32_t, Stream> streams_;
};

}  // namespace kwta::server

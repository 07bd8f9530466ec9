#include "server/edge/connection_meter.h"

#include <algorithm>
#include <cstring>

namespace kwta::server {
namespace {

constexpr size_t kPrefaceBytes = 24;  // "PRI * HTTP/2.0..."
constexpr int kMessagePrefixBytes = 5;
constexpr uint8_t kData = 0, kHeadersFrame = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7, kWindowUpdate = 8,
                  kContinuation = 9;
constexpr uint8_t kEndStream = 1, kAcknowledged = 1;
constexpr uint32_t kStreamBits = 0x7fffffff;

// What a connection may send besides calls: at first, a second, at most. Some clients ping at each round trip while
// data flows, and each stream and frame of data allows kControlPerStream more.
constexpr double kFirstControl = 1000, kControlPerSecond = 200, kControlPerStream = 2;
// Clients send these as they read answers: some for each answer, and many for a large one.
constexpr double kFirstWindowUpdates = 100'000, kWindowUpdatesPerSecond = 50'000, kWindowUpdatesPerStream = 8;
constexpr double kMostResets = 1000;
// The same for connections of a host whose connection was ended a short time ago.
constexpr double kOffendersResets = 10, kOffendersControl = 100;
constexpr int64_t kOffendersAbandoned = 30;
constexpr int kOffendersBeforeSettings = 8;
// Looks for streams that the server has closed once so many bytes have come for each one known.
constexpr size_t kBytesPerLook = 4096;

}  // namespace

const char* OffenceName(Offence offence) {
  switch (offence) {
    case Offence::kNone:
      return "none";
    case Offence::kRapidResets:
      return "rapid_resets";
    case Offence::kAbandonedCalls:
      return "abandoned_calls";
    case Offence::kStreams:
      return "streams";
    case Offence::kHeaders:
      return "headers";
    case Offence::kControlFrames:
      return "control_frames";
    case Offence::kHeldBytes:
      return "held_bytes";
  }
  return "unknown";
}

bool ConnectionMeter::Allowance::Take(double amount, SteadyTime now) {
  if (held < amount) {
    const absl::Duration passed = std::min(now - filled, absl::Hours(1));
    held = std::min(most, held + per_second * absl::ToDoubleSeconds(passed));
    filled = now;
  }
  held -= amount;
  return held >= 0;
}

ConnectionMeter::ConnectionMeter(bool offender, int64_t max_message_bytes)
    : offender_(offender),
      max_message_bytes_(max_message_bytes),
      resets_{offender ? kOffendersResets : kFirstResets, offender ? kOffendersResets : kResetsPerSecond, kMostResets,
              SteadyTime::Now()},
      control_{offender ? kOffendersControl : kFirstControl, kControlPerSecond, kFirstControl, SteadyTime::Now()},
      window_updates_{kFirstWindowUpdates, kWindowUpdatesPerSecond, kFirstWindowUpdates, SteadyTime::Now()},
      preface_left_(kPrefaceBytes) {}

Offence ConnectionMeter::Feed(const uint8_t* bytes, size_t size, SteadyTime now, const ConnectionState& state) {
  const int64_t abandoned = state.calls_in_memory - state.open_streams;
  const int64_t most_abandoned = offender_ ? kOffendersAbandoned : kMostAbandoned;
  if (abandoned > most_abandoned) return Offence::kAbandonedCalls;
  bytes_since_look_ += size;
  if (bytes_since_look_ > kBytesPerLook * streams_.size()) ForgetClosed(state);
  resets_in_these_bytes_ = 0;
  expects_small_ = state.expects_small;

  const size_t preface = std::min(size, preface_left_);
  preface_left_ -= preface;
  for (size_t at = preface; at < size;) {
    if (header_bytes_ < sizeof(header_)) {
      const size_t part = std::min(sizeof(header_) - header_bytes_, size - at);
      std::memcpy(header_ + header_bytes_, bytes + at, part);
      header_bytes_ += part;
      at += part;
      if (header_bytes_ < sizeof(header_)) break;
      const Offence offence = BeginFrame(now);
      if (offence != Offence::kNone) return offence;
    }
    const size_t part = std::min(payload_left_, size - at);
    if (type_ == kData && stream_ != nullptr) FeedData(bytes + at, part);
    payload_left_ -= part;
    at += part;
    if (payload_left_ == 0) EndFrame();
  }
  // A host that offended does not get to try: the server would see all of these before it counts them.
  if (offender_ && abandoned + resets_in_these_bytes_ > most_abandoned) return Offence::kAbandonedCalls;
  return Offence::kNone;
}

Offence ConnectionMeter::BeginFrame(SteadyTime now) {
  payload_left_ = static_cast<size_t>(header_[0]) << 16 | static_cast<size_t>(header_[1]) << 8 | header_[2];
  type_ = header_[3];
  flags_ = header_[4];
  id_ = (static_cast<uint32_t>(header_[5]) << 24 | static_cast<uint32_t>(header_[6]) << 16 |
         static_cast<uint32_t>(header_[7]) << 8 | header_[8]) &
        kStreamBits;
  stream_ = nullptr;
  switch (type_) {
    case kData: {
      if (payload_left_ == 0 && (flags_ & kEndStream) == 0) break;
      control_.Add(kControlPerStream);
      window_updates_.Add(kWindowUpdatesPerStream);
      const auto found = streams_.find(id_);
      if (found != streams_.end()) stream_ = &found->second;
      return Offence::kNone;
    }
    case kHeadersFrame:
      return BeginHeaders(now);
    case kContinuation:
      return CountHeaders();
    case kReset:
      return BeginReset(now);
    case kWindowUpdate:
      return window_updates_.Take(1, now) ? Offence::kNone : Offence::kControlFrames;
    case kGoAway:
      return Offence::kNone;
    case kPing:
      if ((flags_ & kAcknowledged) != 0) return Offence::kNone;
      break;
    case kSettings:
      if ((flags_ & kAcknowledged) == 0) break;
      settings_confirmed_ = true;
      return Offence::kNone;
  }
  return control_.Take(1, now) ? Offence::kNone : Offence::kControlFrames;
}

Offence ConnectionMeter::BeginHeaders(SteadyTime now) {
  header_block_bytes_ = 0;
  header_block_frames_ = 0;
  if (id_ > newest_id_) {
    newest_id_ = id_;
    const int most = offender_ ? kOffendersBeforeSettings : kMostBeforeSettings;
    if (!settings_confirmed_ && ++opened_before_settings_ > most) return Offence::kStreams;
    control_.Add(kControlPerStream);
    window_updates_.Add(kWindowUpdatesPerStream);
    streams_[id_].opened = now;
  }
  return CountHeaders();
}

Offence ConnectionMeter::CountHeaders() {
  header_block_bytes_ += payload_left_;
  ++header_block_frames_;
  const bool many = header_block_bytes_ > kMostHeaderBytes || header_block_frames_ > kMostHeaderFrames;
  return many ? Offence::kHeaders : Offence::kNone;
}

Offence ConnectionMeter::BeginReset(SteadyTime now) {
  ++resets_in_these_bytes_;
  const auto found = streams_.find(id_);
  if (found == streams_.end()) return Offence::kNone;
  const bool young = now - found->second.opened < kYoung;
  EndStream(id_, false);
  return !young || resets_.Take(1, now) ? Offence::kNone : Offence::kRapidResets;
}

void ConnectionMeter::FeedData(const uint8_t* bytes, size_t size) {
  unpaid_bytes_ += static_cast<int64_t>(size);
  if (unpaid_bytes_ >= kBytesPerReset) {
    resets_.Add(static_cast<double>(unpaid_bytes_ / kBytesPerReset));
    unpaid_bytes_ %= kBytesPerReset;
  }
  Stream& stream = *stream_;
  const int64_t held = stream.held;
  for (const uint8_t* end = bytes + size; bytes < end;) {
    if (stream.prefix_bytes < kMessagePrefixBytes) {
      stream.length = stream.length << 8 | *bytes++;  // the first byte, a flag, is shifted out
      ++stream.held;
      if (++stream.prefix_bytes < kMessagePrefixBytes) continue;
      stream.left = stream.length;
      if (stream.length > max_message_bytes_) break;
    } else {
      const int64_t part = std::min<int64_t>(stream.left, end - bytes);
      bytes += part;
      stream.left -= part;
      stream.held += part;
    }
    if (stream.prefix_bytes == kMessagePrefixBytes && stream.left == 0) {
      stream.held = 0;
      stream.prefix_bytes = 0;
      stream.length = 0;
    }
  }
  held_bytes_ += stream.held - held;
  if (stream.prefix_bytes == kMessagePrefixBytes && stream.length > max_message_bytes_) {
    return Refuse(id_, stream, /*too_large=*/true);
  }
  while (HoldsTooMuch()) RefuseNewest();
}

bool ConnectionMeter::HoldsTooMuch() const {
  if (expects_small_ && held_bytes_ > kMostHeldIfSmall) return true;
  if (held_bytes_ <= kMostHeld) return false;
  int64_t largest = 0;
  for (const auto& [id, stream] : streams_) largest = std::max(largest, stream.held);
  return held_bytes_ - largest > kMostHeldBeside;
}

void ConnectionMeter::RefuseNewest() {
  const auto newer = [](const auto& a, const auto& b) {
    return (a.second.held > 0 ? a.first : 0) < (b.second.held > 0 ? b.first : 0);
  };
  const auto newest = std::max_element(streams_.begin(), streams_.end(), newer);
  Refuse(newest->first, newest->second, /*too_large=*/false);
}

void ConnectionMeter::Refuse(uint32_t id, const Stream& stream, bool too_large) {
  refused_.push_back({id, stream.length, too_large});
  EndStream(id, /*whole=*/false);
}

void ConnectionMeter::EndFrame() {
  header_bytes_ = 0;
  if ((type_ == kData || type_ == kHeadersFrame) && (flags_ & kEndStream) != 0) EndStream(id_, true);
}

void ConnectionMeter::EndStream(uint32_t id, bool whole) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  held_bytes_ -= found->second.held;
  if (stream_ == &found->second) stream_ = nullptr;
  streams_.erase(found);
  if (whole) resets_.Add(1);
}

void ConnectionMeter::ForgetClosed(const ConnectionState& state) {
  bytes_since_look_ = 0;
  if (!state.is_open) return;
  for (auto each = streams_.begin(); each != streams_.end();) {
    if (state.is_open(each->first)) {
      ++each;
      continue;
    }
    held_bytes_ -= each->second.held;
    // The frame under way goes on, but not for a stream that is open.
    if (stream_ == &each->second) stream_ = nullptr;
    streams_.erase(each++);
  }
}

}  // namespace kwta::server

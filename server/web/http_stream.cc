#include "server/web/http_stream.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kwta::server {
namespace {

constexpr size_t kMostWaitingBytes = 256 << 10;
constexpr char kComment[] = ":\n\n";

}  // namespace

std::string ServerSentEvent(absl::string_view name, absl::string_view id, absl::string_view data) {
  std::string event;
  if (!name.empty()) absl::StrAppend(&event, "event: ", name, "\n");
  if (!id.empty()) absl::StrAppend(&event, "id: ", id, "\n");
  for (const absl::string_view line : absl::StrSplit(data, absl::ByAnyChar("\r\n"))) {
    absl::StrAppend(&event, "data: ", line, "\n");
  }
  event.push_back('\n');
  return event;
}

bool HttpStreamSlots::Take(const std::string& host) {
  absl::MutexLock lock(&mutex_);
  const auto found = of_hosts_.find(host);
  if (closed_ || taken_ >= limit_ || (found != of_hosts_.end() && found->second >= limit_of_host_)) return false;
  ++taken_;
  ++of_hosts_[host];
  return true;
}

void HttpStreamSlots::Give(const std::string& host) {
  absl::MutexLock lock(&mutex_);
  --taken_;
  const auto found = of_hosts_.find(host);
  if (--found->second == 0) of_hosts_.erase(found);
}

void HttpStreamSlots::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool QueuedHttpStream::Send(std::string bytes) {
  absl::MutexLock lock(&mutex_);
  return SendLocked(bytes);
}

bool QueuedHttpStream::SendLocked(absl::string_view bytes) {
  if (closed_ || broken_) return false;
  if (bytes.empty()) return true;
  if (bytes.size() > kMostWaitingBytes - std::min(waiting_.size(), kMostWaitingBytes)) {
    broken_ = true;
  } else {
    waiting_.append(bytes.data(), bytes.size());
    sent_ = SteadyTime::Now();
  }
  WakeReader();
  return !broken_;
}

void QueuedHttpStream::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  WakeReader();
}

bool QueuedHttpStream::over() const {
  absl::MutexLock lock(&mutex_);
  return closed_ || broken_;
}

ssize_t QueuedHttpStream::Read(char* buffer, size_t most) {
  absl::MutexLock lock(&mutex_);
  if (broken_) return kBroken;
  const size_t count = std::min(most, waiting_.size());
  if (count > 0) {
    std::memcpy(buffer, waiting_.data(), count);
    waiting_.erase(0, count);
    return static_cast<ssize_t>(count);
  }
  if (closed_) return kEnd;
  reader_waits_ = true;
  return kNothingYet;
}

void QueuedHttpStream::Break() {
  absl::MutexLock lock(&mutex_);
  broken_ = true;
  WakeReader();
}

void QueuedHttpStream::KeepAlive(SteadyTime now, absl::Duration silence) {
  absl::MutexLock lock(&mutex_);
  if (now - sent_ >= silence) SendLocked(kComment);
}

void QueuedHttpStream::WakeReader() {
  if (!reader_waits_) return;
  reader_waits_ = false;
  wake_();
}

}  // namespace kwta::server

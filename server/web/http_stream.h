// The bytes of a response that goes on, between those who send them and the HTTP port's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "server/web/http_exchange.h"

namespace kwta::server {

// Counts the streams of a server. Thread-safe.
class HttpStreamSlots {
 public:
  HttpStreamSlots(int limit, int limit_of_host) : limit_(limit), limit_of_host_(limit_of_host) {}

  // Returns false if there are too many. Each success needs one Give.
  bool Take(const std::string& host);
  void Give(const std::string& host);
  // Takes fail from now on.
  void Close();

 private:
  const int limit_, limit_of_host_;
  absl::Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, int> of_hosts_ ABSL_GUARDED_BY(mutex_);  // none with 0
};

// Thread-safe, except for what the port's thread does.
class QueuedHttpStream final : public HttpStream {
 public:
  // `wake` is called, on any thread and under a lock, when Read has something to return after it returned kNothingYet.
  explicit QueuedHttpStream(std::function<void()> wake) : wake_(std::move(wake)) {}

  bool Send(std::string bytes) override;
  void Close() override;
  bool over() const override;

  // For the port's thread. Read copies up to `most` bytes and returns how many; or one of these:
  static constexpr ssize_t kNothingYet = 0;
  static constexpr ssize_t kEnd = -1;     // closed, and all was read
  static constexpr ssize_t kBroken = -2;  // over: the connection must be closed
  ssize_t Read(char* buffer, size_t most);
  // Nothing more will be read: the client is gone, or may see no more.
  void Break();
  // Sends a comment if nothing was sent for this long.
  void KeepAlive(SteadyTime now, absl::Duration silence);

 private:
  bool SendLocked(absl::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeReader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<void()> wake_;
  mutable absl::Mutex mutex_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool reader_waits_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyTime sent_ ABSL_GUARDED_BY(mutex_) = SteadyTime::Now();
};

}  // namespace kwta::server

// Gathers the body of a request as it arrives.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/web/http_message.h"

namespace kwta::server {

// Counts the bytes of bodies that a server holds. One host may hold half of the limit. Thread-safe.
class HeldBytes {
 public:
  explicit HeldBytes(int64_t limit) : limit_(limit) {}

  // Returns false, and counts nothing, if this is too much.
  bool Add(const std::string& host, int64_t bytes);
  void Remove(const std::string& host, int64_t bytes);
  int64_t all() const;

 private:
  const int64_t limit_;
  mutable absl::Mutex mutex_;
  int64_t all_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int64_t> of_hosts_ ABSL_GUARDED_BY(mutex_);  // none with 0
};

// Some of the HeldBytes; they are given back when it is destroyed.
class HeldBytesClaim {
 public:
  HeldBytesClaim(std::shared_ptr<HeldBytes> held, std::string host) : held_(std::move(held)), host_(std::move(host)) {}
  HeldBytesClaim(const HeldBytesClaim&) = delete;
  HeldBytesClaim& operator=(const HeldBytesClaim&) = delete;
  ~HeldBytesClaim() { Clear(); }

  bool Add(int64_t bytes);
  void Clear();

 private:
  const std::shared_ptr<HeldBytes> held_;
  const std::string host_;
  int64_t bytes_ = 0;
};

enum class HttpPacking { kNone, kGzip, kDeflate };

// Not thread-safe.
class HttpBody {
 public:
  // Takes at most `limit` bytes, unpacked. `length` is the declared length of the body; -1: unknown. REQUIRES: `claim`
  // outlives it.
  HttpBody(int64_t limit, int64_t length, HttpPacking packing, HeldBytesClaim* claim);
  ~HttpBody();

  // Takes the next piece. After an error it drops what comes, so that the client can read the answer.
  void Append(absl::string_view piece);

  // Call it after the last piece. Returns false if the body is wrong or too large: then `*error` says why.
  bool Finish(std::string* body, HttpResponse* error);

 private:
  struct Inflater;
  void AppendUnpacked(absl::string_view piece);
  void Refuse(int code, absl::Status status);

  const int64_t limit_, length_;
  HeldBytesClaim* const claim_;
  std::unique_ptr<Inflater> inflater_;  // null: not packed
  std::string body_;
  HttpResponse error_;
  bool refused_ = false;
};

}  // namespace kwta::server

// Identifies callers by bearer token and decides what they may do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/base/steady_time.h"
#include "core/io/token_file.h"
#include "server/security/quota.h"

namespace kwta::server {

// A caller that showed a token.
struct Caller {
  std::string name;
  std::shared_ptr<Quota> calls, rows;  // null: unlimited
  absl::Time expires = absl::InfiniteFuture();
  std::shared_ptr<const void> known_in;  // the set of tokens in which it was found
};

// Knows the tokens of a file. Checks the file once a second and rereads it if its content has changed. If the file is
// invalid, reports it and keeps the earlier tokens. Thread-safe.
class Authenticator {
 public:
  struct Events {
    std::function<void(size_t tokens)> read;  // the file was read again
    std::function<void(const absl::Status&)> failed;
  };

  // Tokens expire by the system's clock. Checks of the file are timed by a clock that nobody sets.
  struct Clocks {
    std::function<absl::Time()> now = absl::Now;
    std::function<SteadyTime()> steady = SteadyTime::Now;
  };

  // Errors: those of ReadTokenFile.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Open(const std::string& path, Events events, Clocks clocks);

  // Identifies the caller. `authorization` is the call's header, "Bearer TOKEN". `scope` is what the call needs;
  // nullopt accepts any token. Errors: UNAUTHENTICATED (no token, an unknown or an expired one), PERMISSION_DENIED (the
  // token lacks this scope).
  absl::StatusOr<Caller> Authenticate(absl::string_view authorization, std::optional<Scope> scope);

  // Checks that an authenticated caller may continue, and updates its quotas. Looks up the token only if the tokens
  // have changed since. Errors: those of Authenticate.
  absl::Status Confirm(absl::string_view authorization, std::optional<Scope> scope, Caller* caller);

 private:
  struct Known {
    TokenEntry entry;
    Caller caller;
  };
  using Tokens = std::vector<Known>;

  Authenticator(std::string path, Events events, Clocks clocks);
  // Returns true if the file holds other tokens than before; they are known from then on.
  absl::StatusOr<bool> Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const Tokens> Current();
  absl::Status CheckTime(const Caller& caller) const;

  const std::string path_;
  const Events events_;
  const Clocks clocks_;
  absl::Mutex mutex_;
  SteadyTime next_look_ ABSL_GUARDED_BY(mutex_);
  // Hash of the file content read last, valid or not. Time and size may stay the same although a file has changed.
  std::string seen_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_failure_ ABSL_GUARDED_BY(mutex_);  // reported once
  std::shared_ptr<const Tokens> tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server

// Who makes a call, by bearer token, and whether it may.
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
  std::shared_ptr<Quota> calls, rows;  // null: any number
  absl::Time expires = absl::InfiniteFuture();
  std::shared_ptr<const void> known_in;  // the tokens among which it was found
};

// Knows the tokens of a file, which is looked at once a second and taken again if it holds something else; a file that
// makes no sense is reported and the tokens known before stay. Thread-safe.
class Authenticator {
 public:
  struct Events {
    std::function<void(size_t tokens)> read;  // the file, again
    std::function<void(const absl::Status&)> failed;
  };

  // Tokens expire by the system's clock; looks keep to one that nobody sets.
  struct Clocks {
    std::function<absl::Time()> now = absl::Now;
    std::function<SteadyTime()> steady = SteadyTime::Now;
  };

  // Errors: those of ReadTokenFile.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Open(const std::string& path, Events events, Clocks clocks);

  // `authorization` is the header of the call, "Bearer TOKEN"; `scope` what the call needs, nullopt if any token will
  // do. Errors: UNAUTHENTICATED (no token, an unknown or an expired one), PERMISSION_DENIED (not for this scope).
  absl::StatusOr<Caller> Authenticate(absl::string_view authorization, std::optional<Scope> scope);

  // Whether a caller that was let in so may go on; brings its quotas up to date. Looks for the token only if the tokens
  // have changed since. Errors: those of Authenticate.
  absl::Status Confirm(absl::string_view authorization, std::optional<Scope> scope, Caller* caller);

 private:
  struct Known {
    TokenEntry entry;
    Caller caller;
  };
  using Tokens = std::vector<Known>;

  Authenticator(std::string path, Events events, Clocks clocks);
  // True if the file holds other tokens than before, which are known from then on.
  absl::StatusOr<bool> Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const Tokens> Current();
  absl::Status CheckTime(const Caller& caller) const;

  const std::string path_;
  const Events events_;
  const Clocks clocks_;
  absl::Mutex mutex_;
  SteadyTime next_look_ ABSL_GUARDED_BY(mutex_);
  // What was read last, good or not, as a hash: times and sizes of files may be the same although they have changed.
  std::string seen_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_failure_ ABSL_GUARDED_BY(mutex_);  // told once
  std::shared_ptr<const Tokens> tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server

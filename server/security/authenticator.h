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

// Knows the tokens of a file, which is read again once it has changed; a file that makes no sense is reported and the
// tokens known before stay. Thread-safe.
class Authenticator {
 public:
  struct Events {
    std::function<void(size_t tokens)> read;  // the file, again
    std::function<void(const absl::Status&)> failed;
  };

  // Errors: those of ReadTokenFile.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Open(const std::string& path, Events events,
                                                             std::function<absl::Time()> now = absl::Now);

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
  // What tells that a file is another than before.
  struct Stamp {
    int64_t inode = 0, bytes = 0, modified_ns = 0;
    bool operator==(const Stamp& other) const {
      return inode == other.inode && bytes == other.bytes && modified_ns == other.modified_ns;
    }
  };

  Authenticator(std::string path, Events events, std::function<absl::Time()> now);
  static Stamp StampOf(const std::string& path);
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const Tokens> Current();
  absl::Status CheckTime(const Caller& caller) const;

  const std::string path_;
  const Events events_;
  const std::function<absl::Time()> now_;
  absl::Mutex mutex_;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
  Stamp stamp_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Tokens> tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server

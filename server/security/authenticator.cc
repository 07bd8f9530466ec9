#include "server/security/authenticator.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kLookInterval = absl::Seconds(1);
constexpr char kScheme[] = "Bearer ";

std::shared_ptr<Quota> QuotaOf(const char* what, double rate, const std::shared_ptr<Quota>& before) {
  if (rate <= 0) return nullptr;
  if (before != nullptr && before->rate() == rate) return before;  // rereading the file must not refill a bucket
  return std::make_shared<Quota>(what, rate);
}

}  // namespace

Authenticator::Authenticator(std::string path, Events events, Clocks clocks)
    : path_(std::move(path)),
      events_(std::move(events)),
      clocks_(std::move(clocks)),
      next_look_(clocks_.steady() + kLookInterval) {}

absl::StatusOr<std::unique_ptr<Authenticator>> Authenticator::Open(const std::string& path, Events events,
                                                                   Clocks clocks) {
  std::unique_ptr<Authenticator> authenticator(new Authenticator(path, std::move(events), std::move(clocks)));
  absl::MutexLock lock(&authenticator->mutex_);
  KWTA_RETURN_IF_ERROR(authenticator->Read().status());
  return authenticator;
}

absl::StatusOr<bool> Authenticator::Read() {
  KWTA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kMaxTokenFileBytes));
  std::string hash = HashOfToken(text);
  if (hash == seen_) return false;
  seen_ = std::move(hash);
  KWTA_ASSIGN_OR_RETURN(std::vector<TokenEntry> entries, ParseTokenFile(path_, text));
  auto tokens = std::make_shared<Tokens>();
  for (TokenEntry& entry : entries) {
    Known known;
    known.caller.name = entry.name;
    known.caller.expires = entry.expires;
    std::shared_ptr<Quota> calls, rows;
    if (tokens_ != nullptr) {
      for (const Known& before : *tokens_) {
        if (before.entry.name != entry.name) continue;
        calls = before.caller.calls;
        rows = before.caller.rows;
      }
    }
    known.caller.calls = QuotaOf("calls_per_second", entry.calls_per_second, calls);
    known.caller.rows = QuotaOf("rows_per_second", entry.rows_per_second, rows);
    known.entry = std::move(entry);
    tokens->push_back(std::move(known));
  }
  tokens_ = std::move(tokens);
  return true;
}

std::shared_ptr<const Authenticator::Tokens> Authenticator::Current() {
  absl::MutexLock lock(&mutex_);
  const SteadyTime now = clocks_.steady();
  if (now < next_look_) return tokens_;
  next_look_ = now + kLookInterval;
  const absl::StatusOr<bool> read = Read();
  if (!read.ok()) {
    if (events_.failed && read.status() != last_failure_) events_.failed(read.status());
  } else if (*read && events_.read) {
    events_.read(tokens_->size());
  }
  last_failure_ = read.status();
  return tokens_;
}

absl::StatusOr<Caller> Authenticator::Authenticate(absl::string_view authorization, std::optional<Scope> scope) {
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::UnauthenticatedError("the call has no token; send the metadata 'authorization: Bearer TOKEN'");
  }
  const std::string hash = HashOfToken(authorization.substr(sizeof(kScheme) - 1));
  const std::shared_ptr<const Tokens> tokens = Current();
  const Known* found = nullptr;
  // Compare with all tokens, each in constant time, so that the time reveals nothing about any.
  for (const Known& known : *tokens) {
    if (CRYPTO_memcmp(known.entry.sha256.data(), hash.data(), hash.size()) == 0) found = &known;
  }
  if (found == nullptr)
    return absl::UnauthenticatedError("the token of the call is unknown; ask for one that is valid");
  const TokenEntry& entry = found->entry;
  KWTA_RETURN_IF_ERROR(CheckTime(found->caller));
  if (scope.has_value() && std::find(entry.scopes.begin(), entry.scopes.end(), *scope) == entry.scopes.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the token of '", entry.name, "' has no scope '", ScopeName(*scope), "', which this call needs"));
  }
  Caller caller = found->caller;
  caller.known_in = tokens;
  return caller;
}

absl::Status Authenticator::CheckTime(const Caller& caller) const {
  if (clocks_.now() < caller.expires) return absl::OkStatus();
  return absl::UnauthenticatedError(
      absl::StrCat("the token of '", caller.name, "' expired at ",
                   absl::FormatTime(absl::RFC3339_sec, caller.expires, absl::UTCTimeZone()), "; ask for another"));
}

absl::Status Authenticator::Confirm(absl::string_view authorization, std::optional<Scope> scope, Caller* caller) {
  if (Current() == caller->known_in) return CheckTime(*caller);
  KWTA_ASSIGN_OR_RETURN(*caller, Authenticate(authorization, scope));
  return absl::OkStatus();
}

}  // namespace kwta::server

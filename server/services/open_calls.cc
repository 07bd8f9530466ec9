#include "server/services/open_calls.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

// When a host that found no place may come again.
constexpr absl::Duration kPauseForAPlace = absl::Seconds(10);

}  // namespace

absl::StatusOr<OpenCalls::Place> OpenCalls::Take(const std::string& host) {
  absl::MutexLock lock(&mutex_);
  const auto found = hosts_.find(host);
  const bool full = open_ >= limits_.all;
  if (full || (found != hosts_.end() && found->second >= limits_.each_host)) {
    const std::string flag = limits_.flag.empty() ? "" : absl::StrCat(" (", limits_.flag, ")");
    const std::string limit = full ? absl::StrCat(limits_.all, " ", limits_.what)
                                   : absl::StrCat(limits_.each_host, " ", limits_.what, " of this host");
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                              "the server has ", limit, " already and takes no more", flag, "; try again later")),
                          kPauseForAPlace);
  }
  ++open_;
  const auto place = hosts_.try_emplace(host).first;
  ++place->second;
  return Place(this, place);
}

int OpenCalls::open() const {
  absl::MutexLock lock(&mutex_);
  return open_;
}

void OpenCalls::GiveBack(Hosts::iterator host) {
  absl::MutexLock lock(&mutex_);
  --open_;
  if (--host->second == 0) hosts_.erase(host);
}

}  // namespace kwta::server

#include "server/edge/connection_limits.h"

#include <algorithm>
#include <iterator>

namespace kwta::server {
namespace {

constexpr int kOwnDescriptors = 64;  // models, jobs, the store, pipes of trainers, the log
constexpr int kMostHttpConnections = 1024;
constexpr uint64_t kMostConnections = 1'000'000;
// Addresses are cheap to come by in IPv6, so the memory of offences is bounded.
constexpr size_t kMostOffenders = 10'000;

}  // namespace

std::optional<ConnectionRefusal> ConnectionLimits::Add(const std::string& host) {
  if (full()) return ConnectionRefusal::kTotal;
  int& of_host = of_host_[host];
  if (of_host >= most_of_one_host_) return ConnectionRefusal::kHost;
  ++of_host;
  ++open_;
  return std::nullopt;
}

void ConnectionLimits::Remove(const std::string& host) {
  const auto found = of_host_.find(host);
  if (found == of_host_.end()) return;
  --open_;
  if (--found->second == 0) of_host_.erase(found);
}

void ConnectionLimits::Offended(const std::string& host, SteadyTime now) {
  if (offenders_.size() >= kMostOffenders) {
    for (auto each = offenders_.begin(); each != offenders_.end();) {
      each = each->second.until <= now ? offenders_.erase(each) : std::next(each);
    }
    if (offenders_.size() >= kMostOffenders) offenders_.erase(offenders_.begin());
  }
  offenders_[host].until = now + kWary;
}

bool ConnectionLimits::IsOffender(const std::string& host, SteadyTime now) {
  const auto found = offenders_.find(host);
  if (found == offenders_.end()) return false;
  if (found->second.until > now) return true;
  offenders_.erase(found);
  return false;
}

SteadyTime ConnectionLimits::NextStart(const std::string& host, SteadyTime now) {
  if (!IsOffender(host, now)) return now;
  Offender& offender = offenders_[host];
  const SteadyTime start = std::max(now, offender.next_start);
  offender.next_start = start + kGap;
  return start;
}

int HttpConnectionsFor(uint64_t descriptors) {
  return static_cast<int>(std::min<uint64_t>(descriptors / 4, kMostHttpConnections));
}

int ConnectionsFor(uint64_t descriptors, int http_connections) {
  const uint64_t kept = static_cast<uint64_t>(kOwnDescriptors + http_connections);
  return descriptors <= kept ? 1 : static_cast<int>(std::min(descriptors - kept, kMostConnections));
}

}  // namespace kwta::server

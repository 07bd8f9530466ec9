#include "server/web/http_routes.h"

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace kwta::server {
namespace {

bool IsName(absl::string_view part) { return absl::StartsWith(part, "{"); }

// Compares a pattern with the segments of a path, neither of which is encoded.
bool Matches(const std::vector<std::string>& parts, const std::vector<std::string>& segments) {
  if (parts.size() != segments.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (IsName(parts[i]) ? segments[i].empty() : parts[i] != segments[i]) return false;
  }
  return true;
}

// True if `parts` says more of a path than `others`: its first difference is a written segment.
bool GoesBefore(const std::vector<std::string>& parts, const std::vector<std::string>& others) {
  for (size_t i = 0; i < std::min(parts.size(), others.size()); ++i) {
    if (IsName(parts[i]) != IsName(others[i])) return !IsName(parts[i]);
  }
  return false;
}

// HEAD is a GET without its body.
bool Answers(const HttpRoute& route, absl::string_view verb) {
  return route.verb == verb || (verb == "HEAD" && route.verb == "GET");
}

std::string Allow(const std::vector<HttpRoute>& routes) {
  std::vector<std::string> verbs;
  for (const HttpRoute& route : routes) {
    verbs.push_back(route.verb);
    if (route.verb == "GET") verbs.emplace_back("HEAD");
  }
  verbs.emplace_back("OPTIONS");
  return absl::StrJoin(verbs, ", ");
}

}  // namespace

HttpHandler QuickHandler(HttpQuickHandler handler) {
  return [handler = std::move(handler)](const HttpExchangePtr& exchange) {
    exchange->Reply(handler(exchange->request()));
  };
}

HttpHandler BlockingHandler(HttpQuickHandler handler) {
  const auto shared = std::make_shared<const HttpQuickHandler>(std::move(handler));
  return [shared](const HttpExchangePtr& exchange) {
    exchange->RunBlocking([shared, exchange] { exchange->Reply((*shared)(exchange->request())); });
  };
}

HttpRoute& HttpRoutes::Add(HttpRoute route) {
  std::vector<std::string> parts = absl::StrSplit(route.pattern, '/');
  const auto found =
      std::find_if(paths_.begin(), paths_.end(), [&parts](const Path& path) { return path.parts == parts; });
  if (found != paths_.end()) {
    found->routes.push_back(std::move(route));
    return found->routes.back();
  }
  const auto place =
      std::find_if(paths_.begin(), paths_.end(), [&parts](const Path& path) { return GoesBefore(parts, path.parts); });
  Path path;
  path.parts = std::move(parts);
  path.routes.push_back(std::move(route));
  return paths_.insert(place, std::move(path))->routes.back();
}

HttpRoutes::Found HttpRoutes::Find(absl::string_view verb, absl::string_view path) const {
  Found found;
  std::vector<std::string> segments;
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    segments.emplace_back();
    if (!PercentDecode(segment, &segments.back())) return found;
  }
  const auto match = std::find_if(paths_.begin(), paths_.end(),
                                  [&segments](const Path& each) { return Matches(each.parts, segments); });
  if (match == paths_.end()) return found;
  found.allow = Allow(match->routes);
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string& part = match->parts[i];
    if (IsName(part)) found.segments[part.substr(1, part.size() - 2)] = segments[i];
  }
  for (const HttpRoute& route : match->routes) {
    if (Answers(route, verb)) found.route = &route;
  }
  return found;
}

}  // namespace kwta::server

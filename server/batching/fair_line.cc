#include "server/batching/fair_line.h"

#include <algorithm>
#include <utility>

namespace kwta::server {
namespace {

// Forget the shares of callers without waiting requests once shares outnumber requests by this many.
constexpr size_t kIdleShares = 64;

}  // namespace

void FairLine::Add(QueuedRequestPtr request) {
  Share& share = shares_[request->work.caller];
  const int64_t rows = request->rows_left();
  const int64_t start = std::max(now_, share.end);
  share.end = start + rows;
  share.rows += rows;
  rows_ += rows;
  request->place.first = start;
  requests_.emplace(request->place, std::move(request));
}

void FairLine::Take(const QueuedRequestPtr& request, int64_t rows) {
  now_ = std::max(now_, request->place.first);
  requests_.erase(request->place);
  request->next_row += rows;
  if (request->rows_left() > 0) {
    request->place.first += rows;
    requests_.emplace(request->place, request);
  }
  Forget(request->work.caller, rows);
}

bool FairLine::Remove(const QueuedRequestPtr& request) {
  const auto found = requests_.find(request->place);
  if (found == requests_.end() || found->second != request) return false;
  requests_.erase(found);
  Forget(request->work.caller, request->rows_left());
  return true;
}

int64_t FairLine::RowsUntilTaken(const std::string& caller, int64_t more) const {
  const auto found = shares_.find(caller);
  const int64_t own = more + (found == shares_.end() ? 0 : found->second.rows);
  int64_t all = own;
  for (const auto& [name, share] : shares_) {
    if (name != caller) all += std::min(share.rows, own);
  }
  return all;
}

QueuedRequestPtr FairLine::NewestUntouched(const std::string& caller) const {
  for (auto it = requests_.rbegin(); it != requests_.rend(); ++it) {
    if (it->second->work.caller == caller && it->second->next_row == 0) return it->second;
  }
  return nullptr;
}

void FairLine::Forget(const std::string& caller, int64_t rows) {
  rows_ -= rows;
  shares_[caller].rows -= rows;
  if (shares_.size() <= requests_.size() + kIdleShares) return;
  for (auto it = shares_.begin(); it != shares_.end();) {
    it = it->second.rows == 0 ? shares_.erase(it) : std::next(it);
  }
}

}  // namespace kwta::server

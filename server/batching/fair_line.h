// The requests that wait for one served version, in an order that is fair to callers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "server/batching/encode_work.h"

namespace kwta::server {

// Start-time fair queueing (Goyal, Vin and Cheng, 1996), counted in rows: a request starts, in virtual time, where the
// one before it of the same caller ends, or now if that is later, and requests are taken in the order of their starts.
// So callers that wait get as many rows each, whatever they ask for, and the requests of one caller keep their order.
// Not thread-safe.
class FairLine {
 public:
  using Place = std::pair<int64_t, uint64_t>;  // virtual start; order of arrival
  using Requests = std::map<Place, QueuedRequestPtr>;

  // place.second numbers arrivals, in all lines together.
  void Add(QueuedRequestPtr request);
  // The next `rows` rows of a request leave; what is left of it moves back to where those rows would start.
  void Take(const QueuedRequestPtr& request, int64_t rows);
  // All that is left of a request leaves. False if it does not wait here.
  bool Remove(const QueuedRequestPtr& request);

  const Requests& requests() const { return requests_; }
  bool empty() const { return requests_.empty(); }
  int64_t rows() const { return rows_; }
  // Rows that are taken before `more` rows more of `caller` are all taken, those included: a caller that asks for
  // little does not wait for one that asks for much.
  int64_t RowsUntilTaken(const std::string& caller, int64_t more) const;
  // The newest request of `caller` of which nothing was taken; null if there is none.
  QueuedRequestPtr NewestUntouched(const std::string& caller) const;

 private:
  struct Share {
    int64_t rows = 0;  // that wait
    int64_t end = 0;   // virtual end of the last request
  };
  void Forget(const std::string& caller, int64_t rows);

  Requests requests_;
  std::map<std::string, Share> shares_;
  int64_t rows_ = 0;
  int64_t now_ = 0;  // virtual: the start of what was taken last
};

}  // namespace kwta::server

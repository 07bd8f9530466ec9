// The requests that wait for one served version, in an order that is fair to callers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "server/batching/encode_work.h"

namespace kwta::server {

// Start-time fair queueing (Goyal, Vin and Cheng, 1996), counted in rows. In virtual time, a request starts where its
// caller's previous request ends, or now if that is later. Requests are taken in the order of their starts. So waiting
// callers get equal numbers of rows, however many they request, and each caller's requests keep their order. Not
// thread-safe.
class FairLine {
 public:
  using Place = std::pair<int64_t, uint64_t>;  // virtual start; order of arrival
  using Requests = std::map<Place, QueuedRequestPtr>;

  // place.second numbers arrivals across all lines.
  void Add(QueuedRequestPtr request);
  // Takes the next `rows` rows of a request. The rest of the request moves back to where those rows would start.
  void Take(const QueuedRequestPtr& request, int64_t rows);
  // Removes all that is left of a request. Returns false if the request does not wait here.
  bool Remove(const QueuedRequestPtr& request);

  const Requests& requests() const { return requests_; }
  bool empty() const { return requests_.empty(); }
  int64_t rows() const { return rows_; }
  // How many rows are taken by the time that `more` further rows of `caller` are taken, including these. A caller with
  // a small request does not wait for one with a large request.
  int64_t RowsUntilTaken(const std::string& caller, int64_t more) const;
  // The newest request of `caller` of which no row was taken; null if there is none.
  QueuedRequestPtr NewestUntouched(const std::string& caller) const;

 private:
  struct Share {
    int64_t rows = 0;  // rows that wait
    int64_t end = 0;   // virtual end of the last request
  };
  void Forget(const std::string& caller, int64_t rows);

  Requests requests_;
  std::map<std::string, Share> shares_;
  int64_t rows_ = 0;
  int64_t now_ = 0;  // virtual time: the start of the last request taken
};

}  // namespace kwta::server

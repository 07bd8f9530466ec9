// Decides how many rows fit into a request and its answer.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "client/encode_types.h"

namespace kwta::client {

// Splits the rows of one call. If the options set k, the size of an answer is known. Otherwise, if an answer could be
// large, the first request is small, and its answer tells the size. Not thread-safe.
class RequestSizer {
 public:
  // `row_bytes` is the size of a row as sent; `answer_row_bytes` is the size of a row's answer, 0 if it is unknown.
  // Errors: INVALID_ARGUMENT if rows_per_request is not positive or not even one row fits.
  static absl::StatusOr<RequestSizer> Create(int64_t max_message_bytes, int64_t rows_per_request, int64_t row_bytes,
                                             int64_t answer_row_bytes, bool dense);

  // Returns the rows of the next request, at least 1. REQUIRES: remaining >= 1.
  int64_t Next(int64_t remaining) const;
  // Learns the size from an answer of `bytes` bytes to `rows` rows.
  void Learn(int64_t rows, int64_t bytes);

 private:
  RequestSizer(int64_t budget, int64_t most_rows, int64_t first_rows)
      : budget_(budget), most_rows_(most_rows), rows_(first_rows) {}

  int64_t budget_;     // Bytes of a message available for rows.
  int64_t most_rows_;  // Limit from the caller and the request's own size.
  int64_t rows_;
};

// True if the codes may come as dense rows of unknown width, because the options ask for dense rows or because the
// model's own codes are dense.
bool MayBeDense(const v1::EncodeOptions& options);

// Bytes of a row's codes in the layout of `options`; 0 if that depends on the model.
int64_t KnownCodeBytes(const v1::EncodeOptions& options);

}  // namespace kwta::client

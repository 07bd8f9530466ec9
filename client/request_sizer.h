// How many rows fit into a request and its answer.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "client/encode_types.h"

namespace kwta::client {

// Splits the rows of one call. The size of an answer is known when k was asked for; otherwise the first request is kept
// small if its answer could be large, and its answer tells. Not thread-safe.
class RequestSizer {
 public:
  // `row_bytes` of a row as it is sent; `answer_row_bytes` of a row's answer, 0 if it is not known yet.
  // Errors: INVALID_ARGUMENT if rows_per_request is not positive or not even one row fits.
  static absl::StatusOr<RequestSizer> Create(int64_t max_message_bytes, int64_t rows_per_request, int64_t row_bytes,
                                             int64_t answer_row_bytes, bool dense);

  // Rows of the next request, at least 1. REQUIRES: remaining >= 1.
  int64_t Next(int64_t remaining) const;
  // Learns from an answer of `bytes` to `rows` rows.
  void Learn(int64_t rows, int64_t bytes);

 private:
  RequestSizer(int64_t budget, int64_t most_rows, int64_t first_rows)
      : budget_(budget), most_rows_(most_rows), rows_(first_rows) {}

  int64_t budget_;     // Bytes of a message for rows.
  int64_t most_rows_;  // As the caller and the request's own size allow.
  int64_t rows_;
};

// True if the codes may come as dense rows of a width that is not known yet: because they are asked for, or because
// that is the layout of the model's own codes.
bool MayBeDense(const v1::EncodeOptions& options);

// Bytes of a row's codes in the layout that `options` asks for; 0 if that depends on the model.
int64_t KnownCodeBytes(const v1::EncodeOptions& options);

}  // namespace kwta::client

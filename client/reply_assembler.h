// Joins the answers to the requests of one call.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/encode_types.h"

namespace kwta::client {

// Converts an answer to a request of `rows` rows to codes. Does not trust the wire: checks lengths, offsets and units.
// Errors: INTERNAL saying what does not fit.
absl::StatusOr<EncodeResult> DecodeReply(const v1::EncodeResponse& response, int64_t rows);

// Collects consecutive pieces into one result of `rows` rows. Not thread-safe.
class EncodeAssembler {
 public:
  explicit EncodeAssembler(int64_t rows) : rows_(rows) {}

  // Errors: INTERNAL if the piece's layout, width or model version differs from that of earlier pieces, or if the piece
  // has too many rows.
  absl::Status Add(EncodeResult piece);
  // Returns the whole result. REQUIRES: `rows` rows were added.
  EncodeResult Finish() && { return std::move(result_); }

 private:
  const int64_t rows_;
  int64_t filled_ = 0;
  EncodeResult result_;
};

// Adds the statistics of another request.
void AddStats(const v1::ServingStats& stats, v1::ServingStats* sum);

}  // namespace kwta::client

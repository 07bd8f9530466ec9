// Puts the answers to the requests of one call together.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/encode_types.h"

namespace kwta::client {

// Checks an answer to a request of `rows` rows and turns it into codes. The wire is not believed: lengths, offsets and
// units are checked. Errors: INTERNAL saying what does not fit.
absl::StatusOr<EncodeResult> DecodeReply(const v1::EncodeResponse& response, int64_t rows);

// Collects consecutive pieces into one result of `rows` rows. Not thread-safe.
class EncodeAssembler {
 public:
  explicit EncodeAssembler(int64_t rows) : rows_(rows) {}

  // Errors: INTERNAL if the piece has another layout, width or model version than the pieces before, or is one too
  // many.
  absl::Status Add(EncodeResult piece);
  // The whole. REQUIRES: `rows` rows were added.
  EncodeResult Finish() && { return std::move(result_); }

 private:
  const int64_t rows_;
  int64_t filled_ = 0;
  EncodeResult result_;
};

// Adds the statistics of one more request.
void AddStats(const v1::ServingStats& stats, v1::ServingStats* sum);

}  // namespace kwta::client

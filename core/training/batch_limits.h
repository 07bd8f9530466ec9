// Limits on the size of a batch.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"

namespace kwta {

// The most activities that all units may compute for the rows of a batch, before any are dropped.
inline constexpr int64_t kMaxBatchScores = int64_t{1} << 31;

// Checks that a batch of rows with `row_scores` activities each is small enough. Errors: INVALID_ARGUMENT naming
// training.batch_size.
inline absl::Status CheckBatchScores(int64_t batch_size, int64_t row_scores) {
  if (batch_size * row_scores <= kMaxBatchScores) return absl::OkStatus();
  return InvalidField("training.batch_size", batch_size,
                      absl::StrCat("1 .. ", kMaxBatchScores / row_scores, " with ", row_scores,
                                   " units: a batch has at most ", kMaxBatchScores, " scores"));
}

}  // namespace kwta

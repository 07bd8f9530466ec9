#include "client/request_sizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"

namespace kwta::client {
namespace {

constexpr int64_t kEnvelopeBytes = 4096;  // A generous bound on a message's names, shapes, options and statistics.
// With the maximum of 1,048,576 units, a dense row takes 4 MiB.
constexpr int64_t kFirstDenseRows = 8;
constexpr int64_t kEntryBytes = 8;      // index and value
constexpr int64_t kRowOffsetBytes = 8;  // per row in CSR

}  // namespace

absl::StatusOr<RequestSizer> RequestSizer::Create(int64_t max_message_bytes, int64_t rows_per_request,
                                                  int64_t row_bytes, int64_t answer_row_bytes, bool dense) {
  if (rows_per_request < 1) {
    return absl::InvalidArgumentError(absl::StrCat("rows_per_request is ", rows_per_request, "; expected at least 1"));
  }
  const int64_t budget = max_message_bytes - kEnvelopeBytes;
  const int64_t largest_row = std::max({row_bytes, answer_row_bytes, int64_t{1}});
  if (budget < largest_row) {
    return absl::InvalidArgumentError(absl::StrCat("a row takes ", largest_row, " bytes and the limit of a message is ",
                                                   max_message_bytes,
                                                   "; raise max_message_bytes here and on the server"));
  }
  const int64_t most_rows = std::min(rows_per_request, budget / largest_row);
  const bool unknown_and_large = dense && answer_row_bytes == 0;
  return RequestSizer(budget, most_rows, unknown_and_large ? std::min(most_rows, kFirstDenseRows) : most_rows);
}

int64_t RequestSizer::Next(int64_t remaining) const { return std::min(remaining, rows_); }

void RequestSizer::Learn(int64_t rows, int64_t bytes) {
  const int64_t row_bytes = std::max<int64_t>(DivideUp(bytes, rows), 1);
  rows_ = std::clamp<int64_t>(budget_ / row_bytes, 1, most_rows_);
}

bool MayBeDense(const v1::EncodeOptions& options) {
  return options.output() == v1::OUTPUT_MODE_DENSE ||
         (options.output() == v1::OUTPUT_MODE_UNSPECIFIED && !options.has_k() && !options.has_alpha());
}

int64_t KnownCodeBytes(const v1::EncodeOptions& options) {
  if (!options.has_k() || options.output() == v1::OUTPUT_MODE_DENSE) return 0;
  const int64_t offset = options.output() == v1::OUTPUT_MODE_SPARSE_CSR ? kRowOffsetBytes : 0;
  return int64_t{options.k()} * kEntryBytes + offset;
}

}  // namespace kwta::client

#include "client/reply_assembler.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/tensor_message.h"
#include "core/base/checked_math.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

absl::Status Unfit(absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("the server's reply does not fit the request: ", what, "; is it a kwta-server of another version?"));
}

// Reads indices and values; `Message` is TopKCodes or CsrCodes.
template <typename Message>
absl::Status CopyEntries(const Message& message, SparseCodes* codes) {
  if (message.indices_size() != message.values_size()) return Unfit("indices and values differ in number");
  codes->indices.reserve(message.indices_size());
  for (const uint32_t unit : message.indices()) {
    if (unit >= codes->units) return Unfit(absl::StrCat("unit ", unit, " of a code of width ", codes->units));
    codes->indices.push_back(static_cast<int32_t>(unit));
  }
  codes->values.assign(message.values().begin(), message.values().end());
  return absl::OkStatus();
}

absl::StatusOr<SparseCodes> FromTopK(const v1::TopKCodes& message, int64_t units, int64_t rows) {
  const auto entries = CheckedMultiply(rows, message.k());
  if (!entries || static_cast<uint64_t>(message.indices_size()) != *entries) {
    return Unfit(absl::StrCat(message.indices_size(), " indices for ", rows, " rows of k = ", message.k()));
  }
  SparseCodes codes;
  codes.units = units;
  KWTA_RETURN_IF_ERROR(CopyEntries(message, &codes));
  codes.row_offsets.resize(rows + 1);
  for (int64_t i = 0; i <= rows; ++i) codes.row_offsets[i] = i * message.k();
  return codes;
}

absl::StatusOr<SparseCodes> FromCsr(const v1::CsrCodes& message, int64_t units, int64_t rows) {
  if (message.row_offsets_size() != rows + 1) {
    return Unfit(absl::StrCat(message.row_offsets_size(), " row offsets for ", rows, " rows"));
  }
  SparseCodes codes;
  codes.units = units;
  KWTA_RETURN_IF_ERROR(CopyEntries(message, &codes));
  const bool ascending = std::is_sorted(message.row_offsets().begin(), message.row_offsets().end());
  if (message.row_offsets(0) != 0 || !ascending ||
      message.row_offsets(static_cast<int>(rows)) != static_cast<uint64_t>(codes.entries())) {
    return Unfit("row offsets that do not rise from 0 to the number of entries");
  }
  codes.row_offsets.assign(message.row_offsets().begin(), message.row_offsets().end());
  return codes;
}

absl::StatusOr<Tensor> FromDense(const v1::Tensor& message, int64_t units, int64_t rows) {
  KWTA_ASSIGN_OR_RETURN(const void* elements, DenseElements(message, rows, units));
  Tensor dense(DType::kF32, {rows, units});
  std::memcpy(dense.data(), elements, dense.bytes());
  return dense;
}

}  // namespace

absl::StatusOr<EncodeResult> DecodeReply(const v1::EncodeResponse& response, int64_t rows) {
  if (response.code_width() < 1 || response.code_width() > std::numeric_limits<int32_t>::max()) {
    return Unfit(absl::StrCat("a code_width of ", response.code_width()));
  }
  const auto units = static_cast<int64_t>(response.code_width());
  EncodeResult result;
  result.model_version = response.model_version();
  result.stats = response.stats();
  result.requests = 1;
  switch (response.codes_case()) {
    case v1::EncodeResponse::kDense: {
      KWTA_ASSIGN_OR_RETURN(result.codes, FromDense(response.dense(), units, rows));
      return result;
    }
    case v1::EncodeResponse::kTopK: {
      KWTA_ASSIGN_OR_RETURN(result.codes, FromTopK(response.top_k(), units, rows));
      result.rows_of_k = true;
      return result;
    }
    case v1::EncodeResponse::kCsr: {
      KWTA_ASSIGN_OR_RETURN(result.codes, FromCsr(response.csr(), units, rows));
      return result;
    }
    case v1::EncodeResponse::CODES_NOT_SET:
      break;
  }
  return Unfit("it has no codes");
}

absl::Status EncodeAssembler::Add(EncodeResult piece) {
  const int64_t piece_rows = piece.rows();
  if (piece_rows > rows_ - filled_) return Unfit("more rows than were sent");
  if (filled_ == 0 && piece_rows == rows_) {
    result_ = std::move(piece);
    filled_ = rows_;
    return absl::OkStatus();
  }
  if (filled_ == 0) {
    result_.model_version = piece.model_version;
    result_.rows_of_k = piece.rows_of_k;
    result_.codes = RoomFor(piece.codes, rows_);
  }
  if (result_.codes.index() != piece.codes.index()) return Unfit("codes of several layouts");
  if (result_.model_version != piece.model_version) {
    return Unfit(absl::StrCat("version ", piece.model_version, " after version ", result_.model_version));
  }
  if (CodeUnits(piece.codes) != CodeUnits(result_.codes)) return Unfit("codes of several widths");
  CopyRows(piece.codes, 0, piece_rows, filled_, &result_.codes);
  AddStats(piece.stats, &result_.stats);
  result_.requests += piece.requests;
  filled_ += piece_rows;
  return absl::OkStatus();
}

void AddStats(const v1::ServingStats& stats, v1::ServingStats* sum) {
  sum->set_queue_ns(sum->queue_ns() + stats.queue_ns());
  sum->set_compute_ns(sum->compute_ns() + stats.compute_ns());
  sum->set_batch_rows(std::max(sum->batch_rows(), stats.batch_rows()));
}

}  // namespace kwta::client

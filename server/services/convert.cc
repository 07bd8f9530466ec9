#include "server/services/convert.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/checked_math.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

constexpr int kMaxDimensions = 4;
// Room for everything in an answer except its codes.
constexpr int64_t kAnswerOverhead = 1024;

absl::StatusOr<DType> ConvertDType(v1::DType dtype) {
  switch (dtype) {
    case v1::DTYPE_UNSPECIFIED:
    case v1::DTYPE_F32:
      return DType::kF32;
    case v1::DTYPE_U8:
      return DType::kU8;
    case v1::DTYPE_F16:
      return DType::kF16;
    case v1::DTYPE_BF16:
      return DType::kBF16;
    default:
      return absl::InvalidArgumentError(absl::StrCat("input.dtype is ", static_cast<int>(dtype),
                                                     ", expected DTYPE_F32, DTYPE_U8, DTYPE_F16 or DTYPE_BF16"));
  }
}

std::string ShapeText(const v1::Tensor& input) { return absl::StrCat("[", absl::StrJoin(input.shape(), ", "), "]"); }

struct Extents {
  uint64_t rows = 0;
  uint64_t width = 0;
  uint64_t elements = 0;
};

absl::StatusOr<Extents> ConvertShape(const v1::Tensor& input) {
  if (input.shape_size() < 2 || input.shape_size() > kMaxDimensions) {
    return absl::InvalidArgumentError(absl::StrCat("input.shape is ", ShapeText(input), ", expected [rows, width], ",
                                                   "[rows, height, width] or [rows, channels, height, width]"));
  }
  std::optional<uint64_t> width = 1;
  for (int i = 0; i < input.shape_size(); ++i) {
    if (input.shape(i) < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input.shape is ", ShapeText(input), "; every extent must be at least 1", i == 0 ? ": send some rows" : ""));
    }
    if (i > 0 && width.has_value()) width = CheckedMultiply(*width, static_cast<uint64_t>(input.shape(i)));
  }
  const auto rows = static_cast<uint64_t>(input.shape(0));
  const std::optional<uint64_t> elements = width.has_value() ? CheckedMultiply(*width, rows) : std::nullopt;
  if (!elements.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input.shape is ", ShapeText(input), "; its product does not fit into 64 bits"));
  }
  return Extents{rows, *width, *elements};
}

// Makes `message` an empty message of f32 [rows, width]; keeps its memory.
void SetShape(int64_t rows, int64_t width, v1::Tensor* message) {
  message->Clear();
  message->add_shape(rows);
  message->add_shape(width);
  message->set_dtype(v1::DTYPE_F32);
}

// Makes `rows` point into a copy of their own.
void CopyRows(InputRows* rows) {
  RowsView& view = rows->view;
  rows->copy = Tensor(view.dtype, {view.rows, view.width});
  std::memcpy(rows->copy.data(), view.data, rows->copy.bytes());
  view.data = rows->copy.data();
}

// Replaces each element that is not finite by zero. All bits zero mean zero in every type.
void ZeroNonFinite(InputRows* rows) {
  CopyRows(rows);
  const auto size = static_cast<int64_t>(DTypeSize(rows->view.dtype));
  auto* const bytes = static_cast<char*>(rows->copy.data());
  const int64_t elements = rows->copy.elements();
  for (int64_t i = 0; i < elements; ++i) {
    if (!FindNonFinite({rows->view.dtype, bytes + i * size, 1, 1}).has_value()) continue;
    std::memset(bytes + i * size, 0, static_cast<size_t>(size));
    ++rows->zeroed;
  }
}

}  // namespace

absl::StatusOr<InputRows> ConvertInput(const v1::Tensor& input, absl::string_view model, int64_t width,
                                       v1::NonFinite non_finite) {
  KWTA_ASSIGN_OR_RETURN(const DType dtype, ConvertDType(input.dtype()));
  KWTA_ASSIGN_OR_RETURN(const Extents extents, ConvertShape(input));
  if (extents.width != static_cast<uint64_t>(width)) {
    return absl::InvalidArgumentError(absl::StrCat("input.shape is ", ShapeText(input), ": rows of ", extents.width,
                                                   " elements; model '", model, "' takes rows of ", width));
  }
  const bool has_floats = input.floats_size() > 0;
  if (has_floats == !input.raw().empty()) {
    return absl::InvalidArgumentError(has_floats
                                          ? "input.floats and input.raw are both set; set exactly one of them"
                                          : "input.floats and input.raw are both empty; set exactly one of them");
  }
  InputRows rows;
  rows.view = {dtype, nullptr, static_cast<int64_t>(extents.rows), width};
  if (has_floats) {
    if (dtype != DType::kF32) {
      return absl::InvalidArgumentError(absl::StrCat("input.dtype is ", v1::DType_Name(input.dtype()),
                                                     " but input.floats is set, which holds DTYPE_F32; use input.raw"));
    }
    if (extents.elements != static_cast<uint64_t>(input.floats_size())) {
      return absl::InvalidArgumentError(absl::StrCat("input.floats has ", input.floats_size(),
                                                     " elements; input.shape ", ShapeText(input), " needs ",
                                                     extents.elements));
    }
    rows.view.data = input.floats().data();
  } else {
    const std::optional<uint64_t> bytes = CheckedMultiply(extents.elements, DTypeSize(dtype));
    if (bytes != input.raw().size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input.raw has ", input.raw().size(), " bytes; input.shape ", ShapeText(input), " of ", DTypeName(dtype),
          " needs ", bytes.has_value() ? absl::StrCat(*bytes) : "more than 64 bits can say"));
    }
    rows.view.data = input.raw().data();
    if (reinterpret_cast<uintptr_t>(rows.view.data) % DTypeSize(dtype) != 0) CopyRows(&rows);
  }
  const std::optional<ElementPosition> bad = FindNonFinite(rows.view);
  if (!bad.has_value()) return rows;
  if (non_finite != v1::NON_FINITE_ZERO) {
    return absl::InvalidArgumentError(absl::StrCat("input row ", bad->row, ", column ", bad->column,
                                                   " is NaN or infinite; every element must be finite, unless the "
                                                   "request says non_finite zero"));
  }
  ZeroNonFinite(&rows);
  return rows;
}

absl::Status CheckNonFinite(v1::NonFinite non_finite) {
  if (v1::NonFinite_IsValid(non_finite)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("options.non_finite is ", static_cast<int>(non_finite),
                                                 ", expected NON_FINITE_REFUSE or NON_FINITE_ZERO"));
}

absl::StatusOr<EncodeOptions> ConvertOptions(const v1::EncodeOptions& options) {
  EncodeOptions converted;
  if (options.has_alpha()) {
    if (!std::isfinite(options.alpha()) || options.alpha() <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("options.alpha is ", options.alpha(), ", expected more than 0"));
    }
    converted.alpha = options.alpha();
  }
  if (options.has_k()) {
    if (options.k() == 0) return absl::InvalidArgumentError("options.k is 0, expected 1 to the model's units");
    converted.k = options.k();
  }
  return converted;
}

absl::StatusOr<v1::OutputMode> ResolveOutput(v1::OutputMode mode, const Encoder& encoder) {
  const bool dense = encoder.dense_codes();
  switch (mode) {
    case v1::OUTPUT_MODE_UNSPECIFIED:
      if (dense) return v1::OUTPUT_MODE_DENSE;
      return encoder.takes_k() ? v1::OUTPUT_MODE_SPARSE_TOPK : v1::OUTPUT_MODE_SPARSE_CSR;
    case v1::OUTPUT_MODE_DENSE:
    case v1::OUTPUT_MODE_SPARSE_CSR:
      return mode;
    case v1::OUTPUT_MODE_SPARSE_TOPK:
      if (encoder.takes_k()) return mode;
      return absl::InvalidArgumentError(absl::StrCat(
          "options.output is OUTPUT_MODE_SPARSE_TOPK, expected OUTPUT_MODE_DENSE or OUTPUT_MODE_SPARSE_CSR: ",
          dense ? "the model's codes are dense" : "the model's codes have another number of non-zeros in each row"));
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("options.output is ", static_cast<int>(mode),
                       ", expected OUTPUT_MODE_DENSE, OUTPUT_MODE_SPARSE_TOPK or OUTPUT_MODE_SPARSE_CSR"));
  }
}

absl::Status CheckOutput(v1::OutputMode mode, int64_t rows, int64_t units, int64_t k, int64_t max_bytes) {
  int64_t row_bytes = k * static_cast<int64_t>(sizeof(uint32_t) + sizeof(float));
  if (mode == v1::OUTPUT_MODE_DENSE) row_bytes = units * static_cast<int64_t>(sizeof(float));
  if (mode == v1::OUTPUT_MODE_SPARSE_CSR) row_bytes += static_cast<int64_t>(sizeof(uint64_t));
  const int64_t most_rows = (max_bytes - kAnswerOverhead) / row_bytes;
  if (rows <= most_rows) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the codes of ", rows, " rows take ", row_bytes, " bytes a row and would pass the message limit of ",
                   max_bytes, " bytes (--max-message-bytes); send at most ", most_rows, " rows at a time",
                   mode == v1::OUTPUT_MODE_DENSE && k < units ? ", or ask for sparse codes" : ""));
}

absl::Status ConvertCodes(const Codes& codes, v1::OutputMode mode, v1::EncodeResponse* response) {
  const auto* dense_codes = std::get_if<Tensor>(&codes);
  if (mode == v1::OUTPUT_MODE_DENSE && dense_codes != nullptr) {
    ConvertRows(dense_codes->rows(), response->mutable_dense());
    return absl::OkStatus();
  }
  if (mode == v1::OUTPUT_MODE_DENSE) {
    const auto& sparse = std::get<SparseCodes>(codes);
    v1::Tensor* dense = response->mutable_dense();
    SetShape(sparse.rows(), sparse.units, dense);
    dense->mutable_floats()->Resize(static_cast<int>(sparse.rows() * sparse.units), 0.0f);
    sparse.ToDense(dense->mutable_floats()->mutable_data());
    return absl::OkStatus();
  }
  SparseCodes scratch;
  const SparseCodes& sparse = AsSparse(codes, &scratch);
  const auto* indices = reinterpret_cast<const uint32_t*>(sparse.indices.data());  // never negative
  if (mode == v1::OUTPUT_MODE_SPARSE_CSR) {
    v1::CsrCodes* csr = response->mutable_csr();
    csr->mutable_row_offsets()->Assign(sparse.row_offsets.begin(), sparse.row_offsets.end());
    csr->mutable_indices()->Assign(indices, indices + sparse.entries());
    csr->mutable_values()->Assign(sparse.values.begin(), sparse.values.end());
    return absl::OkStatus();
  }
  const int64_t k = sparse.RectangularWidth();
  if (k < 0) {
    return absl::FailedPreconditionError(
        "the rows have different numbers of active units; ask for OUTPUT_MODE_SPARSE_CSR or OUTPUT_MODE_DENSE");
  }
  v1::TopKCodes* top_k = response->mutable_top_k();
  top_k->set_k(static_cast<uint32_t>(k));
  top_k->mutable_indices()->Assign(indices, indices + sparse.entries());
  top_k->mutable_values()->Assign(sparse.values.begin(), sparse.values.end());
  return absl::OkStatus();
}

void ConvertRows(const RowsView& rows, v1::Tensor* message) {
  SetShape(rows.rows, rows.width, message);
  const auto* elements = static_cast<const float*>(rows.data);
  message->mutable_floats()->Add(elements, elements + rows.rows * rows.width);
}

}  // namespace kwta::server

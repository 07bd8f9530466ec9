#include "core/tensors/codes.h"

#include <cstring>
#include <utility>

namespace kwta {
namespace {

// Returns the nonzero elements of f32 rows.
SparseCodes NonZeros(const RowsView& dense) {
  SparseCodes codes;
  codes.units = dense.width;
  codes.row_offsets.reserve(dense.rows + 1);
  for (int64_t i = 0; i < dense.rows; ++i) {
    const float* row = static_cast<const float*>(dense.row(i));
    for (int64_t unit = 0; unit < dense.width; ++unit) {
      if (row[unit] == 0) continue;
      codes.indices.push_back(static_cast<int32_t>(unit));
      codes.values.push_back(row[unit]);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

}  // namespace

int64_t CodeRows(const Codes& codes) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) return sparse->rows();
  return std::get<Tensor>(codes).shape()[0];
}

int64_t CodeUnits(const Codes& codes) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) return sparse->units;
  return std::get<Tensor>(codes).shape()[1];
}

int64_t CodeBytes(const Codes& codes) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) {
    return sparse->entries() * static_cast<int64_t>(sizeof(int32_t) + sizeof(float));
  }
  return static_cast<int64_t>(std::get<Tensor>(codes).bytes());
}

void ToDense(const Codes& codes, float* dense) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) {
    sparse->ToDense(dense);
    return;
  }
  const auto& tensor = std::get<Tensor>(codes);
  if (tensor.bytes() > 0) std::memcpy(dense, tensor.data(), tensor.bytes());
}

SparseCodes ToSparse(Codes codes) {
  if (auto* sparse = std::get_if<SparseCodes>(&codes)) return std::move(*sparse);
  return NonZeros(std::get<Tensor>(codes).rows());
}

const SparseCodes& AsSparse(const Codes& codes, SparseCodes* scratch) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) return *sparse;
  *scratch = NonZeros(std::get<Tensor>(codes).rows());
  return *scratch;
}

SparseCodes* SparseIn(Codes* codes) {
  if (!std::holds_alternative<SparseCodes>(*codes)) *codes = SparseCodes();
  return &std::get<SparseCodes>(*codes);
}

float* DenseIn(Codes* codes, int64_t rows, int64_t units) {
  const Shape shape = {rows, units};
  const auto* tensor = std::get_if<Tensor>(codes);
  if (tensor == nullptr || tensor->shape() != shape) *codes = Tensor(DType::kF32, shape);
  return std::get<Tensor>(*codes).as<float>();
}

Codes RoomFor(const Codes& like, int64_t rows) {
  if (const auto* dense = std::get_if<Tensor>(&like)) return Tensor(DType::kF32, {rows, dense->shape()[1]});
  SparseCodes empty;
  empty.units = CodeUnits(like);
  return empty;
}

void CopyRows(const Codes& piece, int64_t begin, int64_t count, int64_t at, Codes* whole) {
  if (auto* sparse = std::get_if<SparseCodes>(whole)) {
    sparse->AppendRows(std::get<SparseCodes>(piece), begin, count);
    return;
  }
  if (count == 0) return;  // the tensor may have no memory
  const RowsView rows = std::get<Tensor>(piece).rows();
  const int64_t units = CodeUnits(*whole);
  std::memcpy(std::get<Tensor>(*whole).as<float>() + at * units, rows.row(begin), count * rows.row_bytes());
}

}  // namespace kwta

#include "core/backends/onednn/regularised/pass_arrays.h"

#include <algorithm>
#include <utility>

#include "core/backends/onednn/regularised/unit_kernels.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::regularised {
namespace {

int64_t WholeVectors(int64_t n) { return kUnitLanes * DivideUp(n, kUnitLanes); }

}  // namespace

PassArrays::PassArrays(const RegularisedPassArgs& args)
    : parts(args.first_order ? 4 : 2),
      unit_stride(WholeVectors(args.units)),
      left_part(args.rows * unit_stride),
      right_part(args.rows * args.width),
      inputs_may_be_sparse(!args.first_order &&
                           (args.corruption.kind != CorruptionKind::kGaussian || args.corruption.amount == 0)),
      activities_may_be_sparse(!args.first_order && args.activation == Activation::kReLU),
      atom_scales(args.units),
      with_factors_(args.dropout.probability > 0),
      rows_(args.rows),
      units_(args.units),
      width_(args.width) {}

absl::StatusOr<support::ScratchPool::Lease> PassArrays::TakeMemory(support::Context& context) {
  std::vector<std::pair<float**, int64_t>> pieces = {
      {&left, parts * left_part}, {&right, parts * right_part}, {&slopes, left_part}, {&residual, right_part}};
  if (with_factors_) pieces.emplace_back(&factors, left_part);
  if (parts > 2) pieces.emplace_back(&directional, left_part);
  const auto add_lists = [&pieces](support::SparseRows* lists, int64_t rows, int64_t columns) {
    lists->rows = rows;
    lists->stride = support::SparseRows::StrideFor(columns);
    // Places and counts are as large as floats.
    pieces.emplace_back(reinterpret_cast<float**>(&lists->indices), rows * lists->stride);
    pieces.emplace_back(&lists->values, rows * lists->stride);
    pieces.emplace_back(reinterpret_cast<float**>(&lists->counts), rows);
  };
  if (inputs_may_be_sparse) {
    add_lists(&inputs, rows_, width_);
    add_lists(&input_columns, width_, rows_);
    pieces.emplace_back(&columns, width_ * rows_);
  }
  if (activities_may_be_sparse) {
    add_lists(&active_units, rows_, units_);
    add_lists(&active_rows, units_, rows_);
    pieces.emplace_back(&unit_columns, units_ * rows_);
    pieces.emplace_back(&entry_gradients,
                        std::max(active_units.rows * active_units.stride, active_rows.rows * active_rows.stride));
  }
  int64_t floats = 0;
  for (const auto& [pointer, size] : pieces) floats += WholeVectors(size);
  KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease memory, context.scratch.Take(floats * sizeof(float)));
  float* next = memory.as<float>();
  for (const auto& [pointer, size] : pieces) {
    *pointer = next;
    next += WholeVectors(size);
  }
  return memory;
}

void ListNonZero(const support::SparseKernels& kernels, const float* x, int64_t n, int64_t row,
                 support::SparseRows* lists) {
  const int64_t entries = row * lists->stride;
  lists->counts[row] =
      static_cast<int32_t>(kernels.compress(x, nullptr, n, lists->indices + entries, lists->values + entries));
}

void ListColumns(const support::SparseKernels& kernels, const float* x, int64_t stride, int64_t rows, int64_t first,
                 int64_t count, const float* offset, float* columns, support::SparseRows* lists) {
  kernels.transpose(x, stride, rows, count, columns + first * rows, rows);
  for (int64_t c = first; c < first + count; ++c) {
    float* const column = columns + c * rows;
    for (int64_t i = 0; offset != nullptr && i < rows; ++i) column[i] += offset[c];
    ListNonZero(kernels, column, rows, c, lists);
  }
}

}  // namespace kwta::onednn::regularised

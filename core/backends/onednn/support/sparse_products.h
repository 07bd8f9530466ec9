// Products with matrices of which only some elements are not zero. Each element of a result is a sum in the order of
// its row's entries, so results have the same bits on any number of threads.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/sparse_kernels.h"

namespace kwta::onednn::support {

// The elements of a matrix that are not zero, row by row: row i has the entries i * stride .. i * stride + counts[i] -
// 1 of indices and values. The indices of a row ascend.
struct SparseRows {
  int32_t* indices = nullptr;
  float* values = nullptr;
  int32_t* counts = nullptr;
  int64_t rows = 0, stride = 0;

  // Room for the entries of a row of n elements, see SparseKernels::compress.
  static int64_t StrideFor(int64_t n) { return n + 16; }
};

// out[i] = start_scales[i] * start[i] + sum over the entries of row i of value * b[index]; or, with add, out[i] + the
// sum.
struct SparseTimesDenseArgs {
  SparseRows a;
  const float* values = nullptr;  // in place of a.values; or null
  const float* b = nullptr;       // [inner, n]
  int64_t inner = 0, n = 0;
  bool add = false;
  const float* start = nullptr;         // [a.rows, n] with start_stride, which may be 0; null: zeros
  int64_t start_stride = 0;             // of start's rows
  const float* start_scales = nullptr;  // [a.rows]; null: ones
  float* out = nullptr;                 // [a.rows, n]
};
void SparseTimesDense(Context& context, const SparseTimesDenseArgs& args);

// out[i, j] = start[j] + sum over the entries of row i of value * b[j, index], less <offset, b[j]>.
struct SparseTimesTransposedArgs {
  SparseRows a;
  const float* b = nullptr;  // [n, inner]
  int64_t inner = 0, n = 0;
  const float* start = nullptr;   // [n]; null: zeros
  const float* offset = nullptr;  // [inner]; null: zeros
  float* out = nullptr;           // [a.rows, n] with a distance of out_stride between rows
  int64_t out_stride = 0;
};
absl::Status SparseTimesTransposed(Context& context, const SparseTimesTransposedArgs& args);

// out[j, d] += sum over the entries of row d of a of value * b[index, j]: adds the transpose of a b.
struct AddTransposedProductArgs {
  SparseRows a;
  const float* b = nullptr;  // [inner, n] with a distance of b_stride between rows
  int64_t b_stride = 0, inner = 0, n = 0;
  float* out = nullptr;                        // [n, a.rows]
  std::function<void(int64_t row)> after_row;  // called for each row of out when it is done; may be empty
};
absl::Status AddTransposedProduct(Context& context, const AddTransposedProductArgs& args);

// products[e] = <x[i], b[index of e]> for each entry e of row i of a. a.values is not read.
struct DotsAtEntriesArgs {
  SparseRows a;
  const float* x = nullptr;  // [a.rows, width]
  const float* b = nullptr;  // [n, width]
  int64_t width = 0, n = 0;
  float* products = nullptr;  // out, where a.values would be
};
void DotsAtEntries(Context& context, const DotsAtEntriesArgs& args);

}  // namespace kwta::onednn::support

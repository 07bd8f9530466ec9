// The arrays of one regularised pass, and what the pass has found out about them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/scratch.h"
#include "core/backends/onednn/support/sparse_products.h"
#include "core/backends/regularised_args.h"

namespace kwta::onednn::regularised {

// The atoms' gradient is left' right: `left` [parts, rows, unit_stride] holds the activities, the gradients of the
// pre-activations and, with first_order, v = h' * W e and the gradients of W e; `right` [parts, rows, width] holds what
// each multiplies. Products leave out the zeros of inputs, and those of activities, if there are many: lists have the
// others.
class PassArrays {
 public:
  explicit PassArrays(const RegularisedPassArgs& args);

  // Takes the memory of all arrays. REQUIRES: they are not used after it is gone.
  absl::StatusOr<support::ScratchPool::Lease> TakeMemory(support::Context& context);

  // The parts of `left` and `right` that belong together.
  float* Activities() const { return left; }
  float* OutputGradient() const { return right; }
  float* ActivityGradient() const { return left + left_part; }  // becomes that of the pre-activations
  float* Seen() const { return right + right_part; }
  float* Directional() const { return left + 2 * left_part; }  // v
  float* FirstOrderGradient() const { return right + 2 * right_part; }
  float* DirectionalGradient() const { return left + 3 * left_part; }  // of v, becomes that of W e
  float* Along() const { return right + 3 * right_part; }

  const int64_t parts, unit_stride, left_part, right_part;
  const bool inputs_may_be_sparse, activities_may_be_sparse;

  float *left = nullptr, *right = nullptr;
  float* slopes = nullptr;       // [rows, unit_stride]: W x, then s'
  float* directional = nullptr;  // [rows, unit_stride]: W e
  float* factors = nullptr;      // [rows, unit_stride]: of dropout; null without
  float* residual = nullptr;     // [rows, width]

  support::SparseRows inputs, input_columns;          // inputs of rows, rows of inputs
  support::SparseRows active_units, active_rows;      // units of rows, rows of units
  float *columns = nullptr, *unit_columns = nullptr;  // [width, rows], [units, rows]
  float* entry_gradients = nullptr;                   // of active_units, then of active_rows
  std::vector<float> atom_scales;                     // [units]: of the atoms in their own gradients

  bool sparse_inputs = false, sparse_activities = false;
  // The atoms' gradient is a sum over inputs, as far as it multiplies these.
  bool by_inputs = false;

 private:
  const bool with_factors_;
  const int64_t rows_, units_, width_;
};

// Lists the elements of x[n] that are not zero as row `row`.
void ListNonZero(const support::SparseKernels& kernels, const float* x, int64_t n, int64_t row,
                 support::SparseRows* lists);

// Lists those of the columns first .. first + count - 1 of a matrix [rows, ..]. x points to the first of them.
// `columns`
// [.., rows] receives them. Adds offset[c], if there is an offset, to column c first.
void ListColumns(const support::SparseKernels& kernels, const float* x, int64_t stride, int64_t rows, int64_t first,
                 int64_t count, const float* offset, float* columns, support::SparseRows* lists);

}  // namespace kwta::onednn::regularised

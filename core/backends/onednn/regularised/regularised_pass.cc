#include "core/backends/onednn/regularised/regularised_pass.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/onednn/regularised/unit_kernels.h"
#include "core/backends/onednn/support/scratch.h"
#include "core/backends/onednn/support/sparse_products.h"
#include "core/backends/onednn/support/tiled_gemm.h"
#include "core/backends/sparsity_penalty.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::regularised {
namespace {

constexpr int64_t kPassRows = 4;  // rows that a thread takes at once

// Below these shares of elements that are not zero, sums over these elements beat dense products.
constexpr double kSparseInputs = 0.4;
constexpr double kSparseActivities = 0.65;

int64_t WholeVectors(int64_t n) { return kUnitLanes * DivideUp(n, kUnitLanes); }

// One call of RegularisedPass. The atoms' gradient is left' right: `left` [parts, rows, unit_stride] holds the
// activities, the gradients of the pre-activations and, with first_order, v = h' * W e and the gradients of W e;
// `right` [parts, rows, width] holds what each multiplies. Products leave out the zeros of inputs, and those of
// activities, if there are many.
class Pass {
 public:
  Pass(support::Context& context, const RegularisedPassArgs& args)
      : context_(context),
        args_(args),
        parts_(args.first_order ? 4 : 2),
        unit_stride_(WholeVectors(args.units)),
        left_part_(args.rows * unit_stride_),
        right_part_(args.rows * args.width),
        inputs_may_be_sparse_(!args.first_order && args.corruption.kind != CorruptionKind::kGaussian),
        activities_may_be_sparse_(!args.first_order && args.activation == Activation::kReLU),
        output_scale_((args.sigmoid_output ? 1 : 2) / static_cast<float>(args.rows)),
        row_errors_(args.rows),
        row_firsts_(args.rows),
        unit_penalties_(args.units),
        activity_sums_(args.units),
        squared_slopes_(args.units),
        active_(args.units),
        atom_scales_(args.units) {}

  absl::Status Run() {
    KWTA_ASSIGN_OR_RETURN(const support::ScratchPool::Lease memory, TakeMemory());
    ReadInputs();
    KWTA_RETURN_IF_ERROR(Encode());
    Activate();
    KWTA_RETURN_IF_ERROR(Decode());
    *args_.squared_error = Sum(row_errors_);
    KWTA_RETURN_IF_ERROR(Differentiate());
    const bool finite = std::isfinite(*args_.squared_error);
    ForUnitBlocks([&](int64_t first, int64_t units) { UnitGradients(first, units, finite); });
    KWTA_RETURN_IF_ERROR(AtomGradients());
    DecoderBiasGradient();
    *args_.penalty = (Sum(row_firsts_) / static_cast<double>(args_.rows)) + Sum(unit_penalties_);
    return absl::OkStatus();
  }

 private:
  // The parts of `left` and `right` that belong together.
  float* Activities() { return left_; }
  float* OutputGradient() { return right_; }
  float* ActivityGradient() { return left_ + left_part_; }  // becomes that of the pre-activations
  float* Seen() { return right_ + right_part_; }
  float* Directional() { return left_ + 2 * left_part_; }  // v
  float* FirstOrderGradient() { return right_ + 2 * right_part_; }
  float* DirectionalGradient() { return left_ + 3 * left_part_; }  // of v, becomes that of W e
  float* Along() { return right_ + 3 * right_part_; }

  static double Sum(const std::vector<double>& numbers) {
    double sum = 0;
    for (const double number : numbers) sum += number;
    return sum;
  }
  template <typename Visit>
  void ForRows(const Visit& visit) {
    context_.pool.ParallelFor(args_.rows, kPassRows, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) visit(i);
    });
  }
  template <typename Visit>
  void ForUnitBlocks(const Visit& visit) {
    context_.pool.ParallelFor(DivideUp(args_.units, kUnitLanes), 1, [&](int64_t block, int64_t, int) {
      const int64_t first = block * kUnitLanes;
      visit(first, std::min(kUnitLanes, args_.units - first));
    });
  }

  // Takes the memory of all arrays. Lists are for the products that may leave out zeros.
  absl::StatusOr<support::ScratchPool::Lease> TakeMemory() {
    std::vector<std::pair<float**, int64_t>> pieces = {{&left_, parts_ * left_part_},
                                                       {&right_, parts_ * right_part_},
                                                       {&slopes_, left_part_},
                                                       {&residual_, right_part_}};
    if (args_.dropout.probability > 0) pieces.emplace_back(&factors_, left_part_);
    if (args_.first_order) pieces.emplace_back(&directional_, left_part_);
    const auto add_lists = [&pieces](support::SparseRows* lists, int64_t rows, int64_t columns) {
      lists->rows = rows;
      lists->stride = support::SparseRows::StrideFor(columns);
      // Places and counts are as large as floats.
      pieces.emplace_back(reinterpret_cast<float**>(&lists->indices), rows * lists->stride);
      pieces.emplace_back(&lists->values, rows * lists->stride);
      pieces.emplace_back(reinterpret_cast<float**>(&lists->counts), rows);
    };
    if (inputs_may_be_sparse_) {
      add_lists(&inputs_, args_.rows, args_.width);
      add_lists(&input_columns_, args_.width, args_.rows);
      pieces.emplace_back(&columns_, args_.width * args_.rows);
    }
    if (activities_may_be_sparse_) {
      add_lists(&active_units_, args_.rows, args_.units);
      add_lists(&active_rows_, args_.units, args_.rows);
      pieces.emplace_back(&unit_columns_, unit_stride_ * args_.rows);
      pieces.emplace_back(&entry_gradients_,
                          std::max(active_units_.rows * active_units_.stride, active_rows_.rows * active_rows_.stride));
    }
    int64_t floats = 0;
    for (const auto& [pointer, size] : pieces) floats += WholeVectors(size);
    KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease memory, context_.scratch.Take(floats * sizeof(float)));
    float* next = memory.as<float>();
    for (const auto& [pointer, size] : pieces) {
      *pointer = next;
      next += WholeVectors(size);
    }
    return memory;
  }

  // out[rows, units] = rows[rows, width] W'.
  absl::Status TimesAtoms(const float* rows, float* out) {
    support::DnnlGemmArgs product;
    product.a = rows;
    product.lda = args_.width;
    product.b = args_.atoms;
    product.ldb = args_.width;
    product.transpose_b = true;
    product.c = out;
    product.ldc = unit_stride_;
    product.m = args_.rows;
    product.n = args_.units;
    product.k = args_.width;
    return support::TiledGemm(context_, product, true);
  }
  // out[rows, width] = activities[rows, units] W.
  absl::Status TimesAtomsBack(const float* activities, float* out) {
    support::DnnlGemmArgs product;
    product.a = activities;
    product.lda = unit_stride_;
    product.b = args_.atoms;
    product.ldb = args_.width;
    product.c = out;
    product.ldc = args_.width;
    product.m = args_.rows;
    product.n = args_.width;
    product.k = args_.units;
    return support::TiledGemm(context_, product, true);
  }

  // Corrupts the rows, draws the factors of dropout and lists the inputs that are not zero.
  void ReadInputs() {
    ForRows([&](int64_t i) {
      if (factors_ != nullptr) DrawDropout(args_.dropout, i, args_.units, factors_ + i * unit_stride_);
      const int64_t first = i * args_.width;
      float* const corrupted = (args_.first_order ? Along() : Seen()) + first;
      CorruptRow(args_.corruption, i, args_.x + first, args_.width, corrupted);
      if (args_.first_order) {
        context_.rows.subtract(args_.x + first, args_.width, corrupted);
        std::copy_n(args_.x + first, args_.width, Seen() + first);
      }
      if (inputs_may_be_sparse_) {
        const int64_t entries = i * inputs_.stride;
        inputs_.counts[i] = static_cast<int32_t>(sparse_.compress(corrupted, args_.offset, args_.width,
                                                                  inputs_.indices + entries, inputs_.values + entries));
      }
    });
    sparse_inputs_ = inputs_may_be_sparse_ && ShareOf(inputs_, args_.width) < kSparseInputs;
  }
  static double ShareOf(const support::SparseRows& lists, int64_t columns) {
    int64_t sum = 0;
    for (int64_t i = 0; i < lists.rows; ++i) sum += lists.counts[i];
    return static_cast<double>(sum) / static_cast<double>(lists.rows * columns);
  }

  // W times the rows, and times e.
  absl::Status Encode() {
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtoms(Along(), directional_));
    if (!sparse_inputs_) return TimesAtoms(Seen(), slopes_);
    support::SparseTimesTransposedArgs product;
    product.a = inputs_;
    product.b = args_.atoms;
    product.inner = args_.width;
    product.n = args_.units;
    product.offset = args_.offset;
    product.out = slopes_;
    product.out_stride = unit_stride_;
    return support::SparseTimesTransposed(context_, product);
  }

  UnitArrays ArraysOf(int64_t first) {
    UnitArrays arrays;
    arrays.activation = args_.activation;
    arrays.rows = args_.rows;
    arrays.stride = unit_stride_;
    arrays.slopes = slopes_ + first;
    arrays.activities = Activities() + first;
    arrays.gradient = ActivityGradient() + first;
    if (factors_ != nullptr) arrays.factors = factors_ + first;
    if (args_.first_order) {
      arrays.directional = directional_ + first;
      arrays.along = Directional() + first;
      arrays.along_gradient = DirectionalGradient() + first;
    }
    return arrays;
  }

  // Computes activities and v, their sums, and lists of the activities that are not zero.
  void Activate() {
    std::vector<int64_t> non_zero(args_.units);
    ForUnitBlocks([&](int64_t first, int64_t units) {
      float bias[kUnitLanes] = {};
      std::copy_n(args_.bias + first, units, bias);
      UnitArrays arrays = ArraysOf(first);
      arrays.bias = bias;
      ActivationSums sums;
      kernels_.activate(arrays, &sums);
      for (int64_t u = 0; u < units; ++u) {
        const int64_t unit = first + u;
        args_.activity_sums[unit] += sums.a[u];
        args_.activity_sums[args_.units + unit] += sums.squared_a[u];
        args_.activity_sums[2 * args_.units + unit] += sums.active[u];
        activity_sums_[unit] = sums.activities[u];
        squared_slopes_[unit] = sums.squared_slopes[u];
        active_[unit] = sums.active[u];
        non_zero[unit] = sums.non_zero[u];
      }
    });
    int64_t sum = 0;
    for (const int64_t rows : non_zero) sum += rows;
    sparse_activities_ = activities_may_be_sparse_ && static_cast<double>(sum) < kSparseActivities *
                                                                                     static_cast<double>(args_.rows) *
                                                                                     static_cast<double>(args_.units);
    if (!sparse_activities_) return;
    ForRows([&](int64_t i) { List(Activities() + i * unit_stride_, args_.units, i, &active_units_); });
    ForUnitBlocks([&](int64_t first, int64_t units) {
      ListColumns(Activities() + first, unit_stride_, first, units, unit_columns_, &active_rows_);
    });
  }
  // Lists the elements of x[n] that are not zero as row `row`.
  void List(const float* x, int64_t n, int64_t row, support::SparseRows* lists) {
    const int64_t entries = row * lists->stride;
    lists->counts[row] =
        static_cast<int32_t>(sparse_.compress(x, nullptr, n, lists->indices + entries, lists->values + entries));
  }
  // Lists those of columns of a matrix with as many rows as the batch. x points to the first of them.
  void ListColumns(const float* x, int64_t stride, int64_t first, int64_t count, float* columns,
                   support::SparseRows* lists, const float* offset = nullptr) {
    sparse_.transpose(x, stride, args_.rows, count, columns + first * args_.rows, args_.rows);
    for (int64_t c = first; c < first + count; ++c) {
      float* const column = columns + c * args_.rows;
      for (int64_t i = 0; offset != nullptr && i < args_.rows; ++i) column[i] += offset[c];
      List(column, args_.rows, c, lists);
    }
  }

  // The residual, the gradients of the outputs, the squared errors and first-order terms of the rows.
  absl::Status Decode() {
    if (sparse_activities_) {
      support::SparseTimesDenseArgs product;
      product.a = active_units_;
      product.b = args_.atoms;
      product.inner = args_.units;
      product.n = args_.width;
      product.start = args_.decoder_bias;
      product.out = residual_;
      support::SparseTimesDense(context_, product);
    } else {
      KWTA_RETURN_IF_ERROR(TimesAtomsBack(Activities(), residual_));
    }
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtomsBack(Directional(), OutputGradient()));
    ForRows([&](int64_t i) {
      float* const residual = residual_ + i * args_.width;
      if (!sparse_activities_) WeightedSum(residual, args_.decoder_bias, 1, residual);
      if (args_.sigmoid_output) kernels_.sigmoid(residual, args_.width);
      context_.rows.subtract(args_.x + i * args_.width, args_.width, residual);
      row_errors_[i] = context_.rows.squared_norm(residual, args_.width);
      float* const output = OutputGradient() + i * args_.width;
      if (!args_.first_order) return WeightedSum(nullptr, residual, output_scale_, output);
      float* const first_order = FirstOrderGradient() + i * args_.width;
      double sum = 0;
      for (int64_t d = 0; d < args_.width; ++d) {
        sum += 2.0 * residual[d] * output[d];
        output[d] = output_scale_ * (residual[d] + output[d]);
        first_order[d] = output_scale_ * residual[d];
      }
      row_firsts_[i] = sum;
    });
    return absl::OkStatus();
  }
  // out = initial (null: zeros) + scale * row, [width] each.
  void WeightedSum(const float* initial, const float* row, float scale, float* out) {
    context_.rows.weighted_sum(initial, &row, &scale, 1, args_.width, out);
  }

  // The gradients of the activities, where they matter, and of v.
  absl::Status Differentiate() {
    if (!sparse_activities_) {
      KWTA_RETURN_IF_ERROR(TimesAtoms(OutputGradient(), ActivityGradient()));
      return args_.first_order ? TimesAtoms(FirstOrderGradient(), DirectionalGradient()) : absl::OkStatus();
    }
    support::DotsAtEntriesArgs dots;
    dots.a = active_units_;
    dots.x = OutputGradient();
    dots.b = args_.atoms;
    dots.width = args_.width;
    dots.n = args_.units;
    dots.products = entry_gradients_;
    support::DotsAtEntries(context_, dots);
    ForRows([&](int64_t i) {
      const int32_t* const units = active_units_.indices + i * active_units_.stride;
      const float* const products = entry_gradients_ + i * active_units_.stride;
      float* const gradient = ActivityGradient() + i * unit_stride_;
      for (int32_t e = 0; e < active_units_.counts[i]; ++e) gradient[units[e]] = products[e];
    });
    return absl::OkStatus();
  }

  // The slope of the sparsity penalty along each activity of a unit.
  float SparsitySlope(int64_t unit) {
    if (args_.sparsity.weight == 0) return 0;
    float& running = args_.sparsity.running_mean[unit];
    running = static_cast<float>(
        NextMeanActivity(args_.sparsity, running, activity_sums_[unit] / static_cast<double>(args_.rows)));
    const SparsityPoint point = SparsityAt(args_.sparsity, running);
    unit_penalties_[unit] += args_.sparsity.weight * point.value;
    return static_cast<float>(args_.sparsity.weight * point.slope / static_cast<double>(args_.rows));
  }

  // The gradients of some units' pre-activations and biases, and the share of each atom in its own gradient.
  void UnitGradients(int64_t first, int64_t units, bool count_rows) {
    UnitTerms terms;
    for (int64_t u = 0; u < units; ++u) {
      const int64_t unit = first + u;
      const bool contracts = args_.contraction > 0 || args_.marginal > 0;
      const double length2 = contracts ? context_.rows.squared_norm(args_.atoms + unit * args_.width, args_.width) : 0;
      const double contraction = args_.contraction * length2 + args_.marginal * length2 * length2;
      const double mean_slope = squared_slopes_[unit] / static_cast<double>(args_.rows);
      terms.activity[u] = SparsitySlope(unit);
      terms.bend[u] = 2 / static_cast<float>(args_.rows) * static_cast<float>(contraction);
      unit_penalties_[unit] += contraction * mean_slope;
      atom_scales_[unit] = static_cast<float>(args_.weight_decay +
                                              mean_slope * (2.0 * args_.contraction + 4.0 * args_.marginal * length2));
      if (count_rows) args_.active_rows[unit] += active_[unit];
    }
    double bias[kUnitLanes] = {};
    if (!sparse_activities_) {
      kernels_.differentiate(ArraysOf(first), terms, bias);
    } else {
      for (int64_t u = 0; u < units; ++u) bias[u] = SparseUnitGradient(first + u, terms.activity[u]);
    }
    for (int64_t u = 0; u < units; ++u) args_.gradient_bias[first + u] = static_cast<float>(bias[u]);
  }
  // The gradients of a unit's pre-activations, in the order of its list, and their sum.
  double SparseUnitGradient(int64_t unit, float sparsity) {
    const int32_t* const rows = active_rows_.indices + unit * active_rows_.stride;
    float* const gradients = entry_gradients_ + unit * active_rows_.stride;
    double sum = 0;
    for (int32_t e = 0; e < active_rows_.counts[unit]; ++e) {
      const int64_t at = rows[e] * unit_stride_ + unit;
      float gradient = ActivityGradient()[at] + sparsity;
      if (factors_ != nullptr) gradient *= factors_[at];
      gradients[e] = gradient;
      sum += gradient;
    }
    return sum;
  }

  absl::Status AtomGradients() {
    const bool own_share = args_.contraction > 0 || args_.marginal > 0 || args_.weight_decay > 0;
    if (sparse_activities_) {
      support::SparseTimesDenseArgs product;
      product.a = active_rows_;
      product.b = OutputGradient();
      product.inner = args_.rows;
      product.n = args_.width;
      product.out = args_.gradient_atoms;
      if (own_share) {
        product.start = args_.atoms;
        product.start_stride = args_.width;
        product.start_scales = atom_scales_.data();
      }
      support::SparseTimesDense(context_, product);
      product.values = entry_gradients_;
      product.b = Seen();
      product.add = true;
      support::SparseTimesDense(context_, product);
      return absl::OkStatus();
    }
    support::DnnlGemmArgs product;
    product.a = left_;
    product.lda = unit_stride_;
    product.transpose_a = true;
    product.b = right_;
    product.ldb = args_.width;
    product.c = args_.gradient_atoms;
    product.ldc = args_.width;
    product.m = args_.units;
    product.n = args_.width;
    product.k = (sparse_inputs_ ? 1 : parts_) * args_.rows;
    KWTA_RETURN_IF_ERROR(support::TiledGemm(context_, product, true));
    const auto add_own_share = [&](int64_t unit) {
      float* const gradient = args_.gradient_atoms + unit * args_.width;
      if (own_share) WeightedSum(gradient, args_.atoms + unit * args_.width, atom_scales_[unit], gradient);
      if (sparse_inputs_ && args_.offset != nullptr) {
        WeightedSum(gradient, args_.offset, -args_.gradient_bias[unit], gradient);
      }
    };
    if (!sparse_inputs_) {
      if (!own_share) return absl::OkStatus();
      ForUnitBlocks([&](int64_t first, int64_t units) {
        for (int64_t unit = first; unit < first + units; ++unit) add_own_share(unit);
      });
      return absl::OkStatus();
    }
    context_.pool.ParallelFor(args_.width, kUnitLanes, [&](int64_t begin, int64_t end, int) {
      ListColumns(Seen() + begin, args_.width, begin, end - begin, columns_, &input_columns_, args_.offset);
    });
    support::AddTransposedProductArgs of_inputs;
    of_inputs.a = input_columns_;
    of_inputs.b = ActivityGradient();
    of_inputs.b_stride = unit_stride_;
    of_inputs.inner = args_.rows;
    of_inputs.n = args_.units;
    of_inputs.out = args_.gradient_atoms;
    of_inputs.after_row = add_own_share;
    return support::AddTransposedProduct(context_, of_inputs);
  }

  void DecoderBiasGradient() {
    std::vector<const float*> rows(args_.rows);
    for (int64_t i = 0; i < args_.rows; ++i) rows[i] = OutputGradient() + i * args_.width;
    const std::vector<float> ones(args_.rows, 1.0f);
    context_.rows.weighted_sum(nullptr, rows.data(), ones.data(), args_.rows, args_.width, args_.gradient_decoder_bias);
  }

  support::Context& context_;
  const RegularisedPassArgs& args_;
  const UnitKernels& kernels_ = UnitKernelsFor(context_.instruction_set);
  const support::SparseKernels& sparse_ = support::SparseKernelsFor(context_.instruction_set);
  const int64_t parts_, unit_stride_, left_part_, right_part_;
  const bool inputs_may_be_sparse_, activities_may_be_sparse_;
  const float output_scale_;  // from a residual to the gradient of its output
  bool sparse_inputs_ = false, sparse_activities_ = false;
  std::vector<double> row_errors_, row_firsts_, unit_penalties_;
  std::vector<double> activity_sums_, squared_slopes_;  // of the units over the rows
  std::vector<int32_t> active_;                         // rows in which the units are active
  std::vector<float> atom_scales_;                      // of the atoms in their own gradients

  float *left_ = nullptr, *right_ = nullptr;
  float* slopes_ = nullptr;       // [rows, unit_stride]: W x, then s'
  float* directional_ = nullptr;  // [rows, unit_stride]: W e
  float* factors_ = nullptr;      // [rows, unit_stride]: of dropout; null without
  float* residual_ = nullptr;     // [rows, width]

  support::SparseRows inputs_, input_columns_;          // inputs of rows, rows of inputs
  support::SparseRows active_units_, active_rows_;      // units of rows, rows of units
  float *columns_ = nullptr, *unit_columns_ = nullptr;  // [width, rows], [units, rows]
  float* entry_gradients_ = nullptr;                    // of active_units_, then of active_rows_
};

}  // namespace

absl::Status RegularisedPass(support::Context& context, const RegularisedPassArgs& args) {
  return Pass(context, args).Run();
}

}  // namespace kwta::onednn::regularised

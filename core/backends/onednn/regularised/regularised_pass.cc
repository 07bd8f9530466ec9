#include "core/backends/onednn/regularised/regularised_pass.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/onednn/regularised/atom_gradients.h"
#include "core/backends/onednn/regularised/pass_arrays.h"
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
constexpr double kSparseActivities = 0.4;
// Transposing what sums over inputs give costs as much as so large a share of activities.
constexpr double kTransposedShare = 0.1;

// One call of RegularisedPass.
class Pass {
 public:
  Pass(support::Context& context, const RegularisedPassArgs& args)
      : context_(context),
        args_(args),
        arrays_(args),
        output_scale_((args.sigmoid_output ? 1 : 2) / static_cast<float>(args.rows)),
        row_errors_(args.rows),
        row_firsts_(args.rows),
        unit_penalties_(args.units),
        activity_sums_(args.units),
        squared_slopes_(args.units),
        active_(args.units) {}

  absl::Status Run() {
    KWTA_ASSIGN_OR_RETURN(const support::ScratchPool::Lease memory, arrays_.TakeMemory(context_));
    ReadInputs();
    KWTA_RETURN_IF_ERROR(Encode());
    Activate();
    KWTA_RETURN_IF_ERROR(Decode());
    *args_.squared_error = Sum(row_errors_);
    KWTA_RETURN_IF_ERROR(Differentiate());
    const bool finite = std::isfinite(*args_.squared_error);
    ForUnitBlocks([&](int64_t first, int64_t units) { UnitGradients(first, units, finite); });
    KWTA_RETURN_IF_ERROR(AtomGradients(context_, args_, arrays_));
    DecoderBiasGradient();
    *args_.penalty = (Sum(row_firsts_) / static_cast<double>(args_.rows)) + Sum(unit_penalties_);
    return absl::OkStatus();
  }

 private:
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

  // out[rows, units] = rows[rows, width] W'.
  absl::Status TimesAtoms(const float* rows, float* out) {
    support::DnnlGemmArgs product;
    product.a = rows;
    product.lda = args_.width;
    product.b = args_.atoms;
    product.ldb = args_.width;
    product.transpose_b = true;
    product.c = out;
    product.ldc = arrays_.unit_stride;
    product.m = args_.rows;
    product.n = args_.units;
    product.k = args_.width;
    return support::TiledGemm(context_, product, true);
  }
  // out[rows, width] = activities[rows, units] W.
  absl::Status TimesAtomsBack(const float* activities, float* out) {
    support::DnnlGemmArgs product;
    product.a = activities;
    product.lda = arrays_.unit_stride;
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
      if (arrays_.factors != nullptr)
        DrawDropout(args_.dropout, i, args_.units, arrays_.factors + i * arrays_.unit_stride);
      const int64_t first = i * args_.width;
      float* const corrupted = (args_.first_order ? arrays_.Along() : arrays_.Seen()) + first;
      CorruptRow(args_.corruption, i, args_.x + first, args_.width, corrupted);
      if (args_.first_order) {
        context_.rows.subtract(args_.x + first, args_.width, corrupted);
        std::copy_n(args_.x + first, args_.width, arrays_.Seen() + first);
      }
      if (arrays_.inputs_may_be_sparse) {
        const int64_t entries = i * arrays_.inputs.stride;
        arrays_.inputs.counts[i] = static_cast<int32_t>(sparse_.compress(
            corrupted, args_.offset, args_.width, arrays_.inputs.indices + entries, arrays_.inputs.values + entries));
      }
    });
    input_share_ = arrays_.inputs_may_be_sparse ? ShareOf(arrays_.inputs, args_.width) : 1;
    arrays_.sparse_inputs = input_share_ < kSparseInputs;
  }
  static double ShareOf(const support::SparseRows& lists, int64_t columns) {
    int64_t sum = 0;
    for (int64_t i = 0; i < lists.rows; ++i) sum += lists.counts[i];
    return static_cast<double>(sum) / static_cast<double>(lists.rows * columns);
  }

  // W times the rows, and times e.
  absl::Status Encode() {
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtoms(arrays_.Along(), arrays_.directional));
    if (!arrays_.sparse_inputs) return TimesAtoms(arrays_.Seen(), arrays_.slopes);
    support::SparseTimesTransposedArgs product;
    product.a = arrays_.inputs;
    product.b = args_.atoms;
    product.inner = args_.width;
    product.n = args_.units;
    product.offset = args_.offset;
    product.out = arrays_.slopes;
    product.out_stride = arrays_.unit_stride;
    return support::SparseTimesTransposed(context_, product);
  }

  UnitArrays ArraysOf(int64_t first) {
    UnitArrays arrays;
    arrays.activation = args_.activation;
    arrays.rows = args_.rows;
    arrays.stride = arrays_.unit_stride;
    arrays.slopes = arrays_.slopes + first;
    arrays.activities = arrays_.Activities() + first;
    arrays.gradient = arrays_.ActivityGradient() + first;
    if (arrays_.factors != nullptr) arrays.factors = arrays_.factors + first;
    if (args_.first_order) {
      arrays.directional = arrays_.directional + first;
      arrays.along = arrays_.Directional() + first;
      arrays.along_gradient = arrays_.DirectionalGradient() + first;
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
    const double share = static_cast<double>(sum) / static_cast<double>(args_.rows * args_.units);
    arrays_.sparse_activities = arrays_.activities_may_be_sparse && share < kSparseActivities;
    arrays_.by_inputs =
        arrays_.sparse_inputs && (!arrays_.sparse_activities || input_share_ + kTransposedShare < share);
    if (!arrays_.sparse_activities) return;
    ForRows([&](int64_t i) {
      ListNonZero(sparse_, arrays_.Activities() + i * arrays_.unit_stride, args_.units, i, &arrays_.active_units);
    });
    ForUnitBlocks([&](int64_t first, int64_t units) {
      ListColumns(sparse_, arrays_.Activities() + first, arrays_.unit_stride, args_.rows, first, units, nullptr,
                  arrays_.unit_columns, &arrays_.active_rows);
    });
  }
  // The residual, the gradients of the outputs, the squared errors and first-order terms of the rows.
  absl::Status Decode() {
    if (arrays_.sparse_activities) {
      support::SparseTimesDenseArgs product;
      product.a = arrays_.active_units;
      product.b = args_.atoms;
      product.inner = args_.units;
      product.n = args_.width;
      product.start = args_.decoder_bias;
      product.out = arrays_.residual;
      support::SparseTimesDense(context_, product);
    } else {
      KWTA_RETURN_IF_ERROR(TimesAtomsBack(arrays_.Activities(), arrays_.residual));
    }
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtomsBack(arrays_.Directional(), arrays_.OutputGradient()));
    ForRows([&](int64_t i) {
      float* const residual = arrays_.residual + i * args_.width;
      if (!arrays_.sparse_activities) WeightedSum(residual, args_.decoder_bias, 1, residual);
      if (args_.sigmoid_output) kernels_.sigmoid(residual, args_.width);
      context_.rows.subtract(args_.x + i * args_.width, args_.width, residual);
      row_errors_[i] = context_.rows.squared_norm(residual, args_.width);
      float* const output = arrays_.OutputGradient() + i * args_.width;
      if (!args_.first_order) return WeightedSum(nullptr, residual, output_scale_, output);
      float* const first_order = arrays_.FirstOrderGradient() + i * args_.width;
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
    if (!arrays_.sparse_activities) {
      KWTA_RETURN_IF_ERROR(TimesAtoms(arrays_.OutputGradient(), arrays_.ActivityGradient()));
      return args_.first_order ? TimesAtoms(arrays_.FirstOrderGradient(), arrays_.DirectionalGradient())
                               : absl::OkStatus();
    }
    support::DotsAtEntriesArgs dots;
    dots.a = arrays_.active_units;
    dots.x = arrays_.OutputGradient();
    dots.b = args_.atoms;
    dots.width = args_.width;
    dots.n = args_.units;
    dots.products = arrays_.entry_gradients;
    support::DotsAtEntries(context_, dots);
    ForRows([&](int64_t i) {
      const int32_t* const units = arrays_.active_units.indices + i * arrays_.active_units.stride;
      const float* const products = arrays_.entry_gradients + i * arrays_.active_units.stride;
      float* const gradient = arrays_.ActivityGradient() + i * arrays_.unit_stride;
      if (arrays_.by_inputs) std::fill_n(gradient, args_.units, 0.0f);
      for (int32_t e = 0; e < arrays_.active_units.counts[i]; ++e) gradient[units[e]] = products[e];
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
      const double by_length = args_.fixed_lengths ? 0 : 2.0 * args_.contraction + 4.0 * args_.marginal * length2;
      arrays_.atom_scales[unit] = static_cast<float>(args_.weight_decay + mean_slope * by_length);
      if (count_rows) args_.active_rows[unit] += active_[unit];
    }
    double bias[kUnitLanes] = {};
    if (!arrays_.sparse_activities) {
      kernels_.differentiate(ArraysOf(first), terms, bias);
    } else {
      for (int64_t u = 0; u < units; ++u) bias[u] = SparseUnitGradient(first + u, terms.activity[u]);
    }
    for (int64_t u = 0; u < units; ++u) args_.gradient_bias[first + u] = static_cast<float>(bias[u]);
  }
  // The gradients of a unit's pre-activations, in the order of its list, and their sum.
  double SparseUnitGradient(int64_t unit, float sparsity) {
    const int32_t* const rows = arrays_.active_rows.indices + unit * arrays_.active_rows.stride;
    float* const gradients = arrays_.entry_gradients + unit * arrays_.active_rows.stride;
    double sum = 0;
    for (int32_t e = 0; e < arrays_.active_rows.counts[unit]; ++e) {
      const int64_t at = rows[e] * arrays_.unit_stride + unit;
      float gradient = arrays_.ActivityGradient()[at] + sparsity;
      if (arrays_.factors != nullptr) gradient *= arrays_.factors[at];
      gradients[e] = arrays_.ActivityGradient()[at] = gradient;
      sum += gradient;
    }
    return sum;
  }

  void DecoderBiasGradient() {
    std::vector<const float*> rows(args_.rows);
    for (int64_t i = 0; i < args_.rows; ++i) rows[i] = arrays_.OutputGradient() + i * args_.width;
    const std::vector<float> ones(args_.rows, 1.0f);
    context_.rows.weighted_sum(nullptr, rows.data(), ones.data(), args_.rows, args_.width, args_.gradient_decoder_bias);
  }

  support::Context& context_;
  const RegularisedPassArgs& args_;
  const UnitKernels& kernels_ = UnitKernelsFor(context_.instruction_set);
  const support::SparseKernels& sparse_ = support::SparseKernelsFor(context_.instruction_set);
  PassArrays arrays_;
  const float output_scale_;  // from a residual to the gradient of its output
  double input_share_ = 1;    // of inputs that are not zero
  std::vector<double> row_errors_, row_firsts_, unit_penalties_;
  std::vector<double> activity_sums_, squared_slopes_;  // of the units over the rows
  std::vector<int32_t> active_;                         // rows in which the units are active
};

}  // namespace

absl::Status RegularisedPass(support::Context& context, const RegularisedPassArgs& args) {
  return Pass(context, args).Run();
}

}  // namespace kwta::onednn::regularised

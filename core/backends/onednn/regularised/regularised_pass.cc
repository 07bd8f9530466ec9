#include "core/backends/onednn/regularised/regularised_pass.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/onednn/support/scratch.h"
#include "core/backends/onednn/support/tiled_gemm.h"
#include "core/backends/sparsity_penalty.h"
#include "core/base/status_macros.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::regularised {
namespace {

constexpr int64_t kPassRows = 4;    // rows that a thread takes at once
constexpr int64_t kPassUnits = 16;  // units; a cache line of each row's activities

// Below this share of active units, sums over the active ones beat dense products. They read each atom once a row from
// the second cache, which takes about four times as long as a dense product's share.
constexpr double kSparseShare = 0.25;

// Operands of one weighted sum, kept between sums.
struct PassTerms {
  std::vector<const float*> rows;
  std::vector<float> scales;

  void Clear() {
    rows.clear();
    scales.clear();
  }
  void Add(const float* row, float scale) {
    rows.push_back(row);
    scales.push_back(scale);
  }
};

// One call of RegularisedPass. The atoms' gradient is left' right: `left` [parts, rows, units] holds the activities,
// the gradients of the pre-activations and, with first_order, v = h' * W e and the gradients of W e; `right` [parts,
// rows, width] holds what each multiplies.
class Pass {
 public:
  Pass(support::Context& context, const RegularisedPassArgs& args)
      : context_(context),
        args_(args),
        parts_(args.first_order ? 4 : 2),
        left_part_(args.rows * args.units),
        right_part_(args.rows * args.width),
        twice_(2 / static_cast<float>(args.rows)),
        terms_(static_cast<size_t>(context.pool.threads())),
        row_errors_(args.rows),
        row_firsts_(args.rows),
        unit_penalties_(args.units) {}

  absl::Status Run() {
    const size_t floats = parts_ * (left_part_ + right_part_) + 2 * left_part_ + right_part_;
    KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease memory, context_.scratch.Take(floats * sizeof(float)));
    float* next = memory.as<float>();
    const auto take = [&next](int64_t count) {
      next += count;
      return next - count;
    };
    left_ = take(parts_ * left_part_);
    right_ = take(parts_ * right_part_);
    pre_activations_ = take(left_part_);
    directional_ = take(left_part_);
    residual_ = take(right_part_);

    Corrupt();
    KWTA_RETURN_IF_ERROR(TimesAtoms(Seen(), pre_activations_));
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtoms(Along(), directional_));
    const double active_share = Activate();
    sparse_ = args_.activation == Activation::kReLU && !args_.first_order && active_share < kSparseShare;
    KWTA_RETURN_IF_ERROR(Decode());
    *args_.squared_error = Sum(row_errors_);
    if (!sparse_) {
      KWTA_RETURN_IF_ERROR(TimesAtoms(OutputGradient(), ActivityGradient()));
      if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtoms(FirstOrderGradient(), DirectionalGradient()));
    }
    const bool finite = std::isfinite(*args_.squared_error);
    ForUnits([&](int64_t unit, PassTerms* terms) { UnitGradient(unit, finite, terms); });
    if (!sparse_) KWTA_RETURN_IF_ERROR(DenseAtomGradients());
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
    context_.pool.ParallelFor(args_.rows, kPassRows, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) visit(i, &terms_[thread]);
    });
  }
  template <typename Visit>
  void ForUnits(const Visit& visit) {
    context_.pool.ParallelFor(args_.units, kPassUnits, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t unit = begin; unit < end; ++unit) visit(unit, &terms_[thread]);
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
    product.ldc = args_.units;
    product.m = args_.rows;
    product.n = args_.units;
    product.k = args_.width;
    return support::TiledGemm(context_, product);
  }
  // out[rows, width] = activities[rows, units] W.
  absl::Status TimesAtomsBack(const float* activities, float* out) {
    support::DnnlGemmArgs product;
    product.a = activities;
    product.lda = args_.units;
    product.b = args_.atoms;
    product.ldb = args_.width;
    product.c = out;
    product.ldc = args_.width;
    product.m = args_.rows;
    product.n = args_.width;
    product.k = args_.units;
    return support::TiledGemm(context_, product);
  }

  void Corrupt() {
    ForRows([&](int64_t i, PassTerms*) {
      const int64_t first = i * args_.width;
      float* const corrupted = (args_.first_order ? Along() : Seen()) + first;
      CorruptRow(args_.corruption, i, args_.x + first, args_.width, corrupted);
      if (!args_.first_order) return;
      context_.rows.subtract(args_.x + first, args_.width, corrupted);
      std::copy_n(args_.x + first, args_.width, Seen() + first);
    });
  }

  // Adds the biases, computes activities and v, and sums pre-activations. Returns the share of activities above 0.
  double Activate() {
    std::vector<int64_t> active(args_.units);
    context_.pool.ParallelFor(args_.units, kPassUnits, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = 0; i < args_.rows; ++i) {
        for (int64_t j = begin; j < end; ++j) {
          const int64_t e = i * args_.units + j;
          const float a = pre_activations_[e] += args_.bias[j];
          args_.activity_sums[j] += a;
          args_.activity_sums[args_.units + j] += static_cast<double>(a) * a;
          const ActivationPoint<float> point = ActivationAt(args_.activation, a);
          Activities()[e] = point.value;
          if (args_.first_order) Directional()[e] = point.slope * directional_[e];
          active[j] += point.value > 0;
        }
      }
    });
    int64_t sum = 0;
    for (const int64_t rows : active) sum += rows;
    return static_cast<double>(sum) / static_cast<double>(left_part_);
  }

  // The residual, the gradients of the outputs, the squared errors and first-order terms of the rows.
  absl::Status Decode() {
    if (!sparse_) KWTA_RETURN_IF_ERROR(TimesAtomsBack(Activities(), residual_));
    if (args_.first_order) KWTA_RETURN_IF_ERROR(TimesAtomsBack(Directional(), OutputGradient()));
    ForRows([&](int64_t i, PassTerms* terms) {
      float* const residual = residual_ + i * args_.width;
      const float* const x = args_.x + i * args_.width;
      if (sparse_) {
        terms->Clear();
        const float* const activities = Activities() + i * args_.units;
        for (int64_t j = 0; j < args_.units; ++j) {
          if (activities[j] > 0) terms->Add(args_.atoms + j * args_.width, activities[j]);
        }
        context_.rows.weighted_sum(args_.decoder_bias, terms->rows.data(), terms->scales.data(),
                                   static_cast<int64_t>(terms->rows.size()), args_.width, residual);
        context_.rows.subtract(x, args_.width, residual);
      } else {
        for (int64_t d = 0; d < args_.width; ++d) residual[d] += args_.decoder_bias[d] - x[d];
      }
      row_errors_[i] = context_.rows.squared_norm(residual, args_.width);
      float* const output = OutputGradient() + i * args_.width;
      if (!args_.first_order) {
        for (int64_t d = 0; d < args_.width; ++d) output[d] = twice_ * residual[d];
        return;
      }
      float* const first_order = FirstOrderGradient() + i * args_.width;
      double sum = 0;
      for (int64_t d = 0; d < args_.width; ++d) {
        sum += 2.0 * residual[d] * output[d];
        output[d] = twice_ * (residual[d] + output[d]);
        first_order[d] = twice_ * residual[d];
      }
      row_firsts_[i] = sum;
    });
    return absl::OkStatus();
  }

  // The slope of the sparsity penalty along each activity of a unit.
  double SparsitySlope(int64_t unit) {
    if (args_.sparsity.weight == 0) return 0;
    double sum = 0;
    for (int64_t i = 0; i < args_.rows; ++i) sum += Activities()[i * args_.units + unit];
    float& running = args_.sparsity.running_mean[unit];
    running = static_cast<float>(NextMeanActivity(args_.sparsity, running, sum / static_cast<double>(args_.rows)));
    const SparsityPoint point = SparsityAt(args_.sparsity, running);
    unit_penalties_[unit] += args_.sparsity.weight * point.value;
    return args_.sparsity.weight * point.slope / static_cast<double>(args_.rows);
  }

  // The gradients of a unit's pre-activations and bias, and what else one walk through its rows gives. In sparse passes
  // also the gradient of its atom.
  void UnitGradient(int64_t unit, bool count_rows, PassTerms* terms) {
    const float* const atom = args_.atoms + unit * args_.width;
    const float threshold = ActivationThreshold(args_.activation);
    const bool contracts = args_.contraction > 0 || args_.marginal > 0;
    const double length2 = contracts ? context_.rows.squared_norm(atom, args_.width) : 0;
    const double contraction = args_.contraction * length2 + args_.marginal * length2 * length2;
    const auto sparsity = static_cast<float>(SparsitySlope(unit));
    const float bend = twice_ * static_cast<float>(contraction);
    double bias = 0, squared_slopes = 0;
    int32_t active = 0;
    terms->Clear();
    for (int64_t i = 0; i < args_.rows; ++i) {
      const int64_t e = i * args_.units + unit;
      float da = 0;
      active += Activities()[e] > threshold;
      if (!sparse_) {
        const ActivationPoint<float> point = ActivationAt(args_.activation, pre_activations_[e]);
        da = point.slope * (ActivityGradient()[e] + sparsity) + bend * point.slope * point.curvature;
        if (args_.first_order) {
          float& dv = DirectionalGradient()[e];
          da += point.curvature * directional_[e] * dv;
          dv *= point.slope;
        }
        squared_slopes += static_cast<double>(point.slope) * point.slope;
        ActivityGradient()[e] = da;
      } else if (Activities()[e] > 0) {
        const float* const output = OutputGradient() + i * args_.width;
        da = dot_(output, atom, args_.width) + sparsity;
        terms->Add(output, Activities()[e]);
        terms->Add(Seen() + i * args_.width, da);
        squared_slopes += 1;
      }
      bias += da;
    }
    args_.gradient_bias[unit] = static_cast<float>(bias);
    args_.activity_sums[2 * args_.units + unit] += active;
    if (count_rows) args_.active_rows[unit] += active;
    const double mean_slope = squared_slopes / static_cast<double>(args_.rows);
    unit_penalties_[unit] += contraction * mean_slope;
    const auto along_atom = static_cast<float>(args_.weight_decay +
                                               mean_slope * (2.0 * args_.contraction + 4.0 * args_.marginal * length2));
    if (!sparse_) {
      atom_scales_[unit] = along_atom;
      return;
    }
    if (along_atom != 0) terms->Add(atom, along_atom);
    context_.rows.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(),
                               static_cast<int64_t>(terms->rows.size()), args_.width,
                               args_.gradient_atoms + unit * args_.width);
  }

  absl::Status DenseAtomGradients() {
    support::DnnlGemmArgs product;
    product.a = left_;
    product.lda = args_.units;
    product.transpose_a = true;
    product.b = right_;
    product.ldb = args_.width;
    product.c = args_.gradient_atoms;
    product.ldc = args_.width;
    product.m = args_.units;
    product.n = args_.width;
    product.k = parts_ * args_.rows;
    KWTA_RETURN_IF_ERROR(support::TiledGemm(context_, product));
    if (args_.contraction == 0 && args_.marginal == 0 && args_.weight_decay == 0) return absl::OkStatus();
    ForUnits([&](int64_t unit, PassTerms*) {
      const float* const atom = args_.atoms + unit * args_.width;
      float* const gradient = args_.gradient_atoms + unit * args_.width;
      const float scale = atom_scales_[unit];
      for (int64_t d = 0; d < args_.width; ++d) gradient[d] += scale * atom[d];
    });
    return absl::OkStatus();
  }

  void DecoderBiasGradient() {
    PassTerms& terms = terms_[0];
    terms.Clear();
    for (int64_t i = 0; i < args_.rows; ++i) terms.Add(OutputGradient() + i * args_.width, 1);
    context_.rows.weighted_sum(nullptr, terms.rows.data(), terms.scales.data(), args_.rows, args_.width,
                               args_.gradient_decoder_bias);
  }

  support::Context& context_;
  const RegularisedPassArgs& args_;
  const simd::DotFunction dot_ = simd::FixedOrderDotFor(context_.instruction_set);
  const int64_t parts_, left_part_, right_part_;
  const float twice_;  // 2 / rows
  bool sparse_ = false;
  std::vector<PassTerms> terms_;  // of each thread
  std::vector<double> row_errors_, row_firsts_, unit_penalties_;
  std::vector<float> atom_scales_ = std::vector<float>(args_.units);  // of the atoms in their own gradients

  float *left_ = nullptr, *right_ = nullptr;
  float *pre_activations_ = nullptr, *directional_ = nullptr;  // [rows, units]: a and W e
  float* residual_ = nullptr;                                  // [rows, width]
};

}  // namespace

absl::Status RegularisedPass(support::Context& context, const RegularisedPassArgs& args) {
  return Pass(context, args).Run();
}

}  // namespace kwta::onednn::regularised

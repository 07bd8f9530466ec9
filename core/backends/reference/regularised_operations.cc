#include "core/backends/reference/regularised_operations.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/sparsity_penalty.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta {
namespace {

using Reals = std::vector<double>;

// One call of ReferenceRegularisedPass. Arrays of a row or a unit are the rows of these matrices.
class ReferencePass {
 public:
  explicit ReferencePass(const RegularisedPassArgs& args)
      : args_(args),
        units_(args.units),
        width_(args.width),
        seen_(args.rows * width_),
        along_(args.rows * width_),
        points_(args.rows * units_),
        kept_(args.rows * units_, 1.0f),
        directional_(args.rows * units_),
        residual_(args.rows * width_),
        change_(args.rows * width_),
        squared_length_(units_) {}

  void Run() {
    for (int64_t j = 0; j < units_; ++j) squared_length_[j] = Dot(Atom(j), Atom(j));
    for (int64_t i = 0; i < args_.rows; ++i) Encode(i);
    double squared_error = 0, penalty = 0;
    for (int64_t i = 0; i < args_.rows; ++i) penalty += Decode(i, &squared_error) / Rows();
    const bool finite = std::isfinite(squared_error);
    for (int64_t j = 0; j < units_; ++j) penalty += UnitGradient(j, finite);
    for (int64_t d = 0; d < width_; ++d) {
      double sum = 0;
      for (int64_t i = 0; i < args_.rows; ++i) sum += OutputGradient(i, d);
      args_.gradient_decoder_bias[d] = static_cast<float>(sum);
    }
    *args_.squared_error = squared_error;
    *args_.penalty = penalty;
  }

 private:
  double Rows() const { return static_cast<double>(args_.rows); }
  const float* Atom(int64_t j) const { return args_.atoms + j * width_; }
  template <typename Left, typename Right>
  double Dot(const Left* left, const Right* right) const {
    double sum = 0;
    for (int64_t d = 0; d < width_; ++d) sum += static_cast<double>(left[d]) * right[d];
    return sum;
  }
  bool Active(double activity) const { return activity > ActivationThreshold(args_.activation); }
  // The gradient of E with respect to output d of row i.
  double OutputGradient(int64_t i, int64_t d) const {
    const double scale = args_.sigmoid_output ? 1 : 2;
    return scale / Rows() * (residual_[i * width_ + d] + change_[i * width_ + d]);
  }

  void Encode(int64_t i) {
    const float* x = args_.x + i * width_;
    std::vector<float> corrupted(width_);
    CorruptRow(args_.corruption, i, x, width_, corrupted.data());
    if (args_.dropout.probability > 0) DrawDropout(args_.dropout, i, units_, &kept_[i * units_]);
    for (int64_t d = 0; d < width_; ++d) {
      seen_[i * width_ + d] = args_.first_order ? x[d] : corrupted[d];
      if (args_.first_order) along_[i * width_ + d] = static_cast<double>(corrupted[d]) - x[d];
    }
    for (int64_t j = 0; j < units_; ++j) {
      const double a = Dot(Atom(j), &seen_[i * width_]) + args_.bias[j];
      points_[i * units_ + j] = ActivationAt(args_.activation, a);
      directional_[i * units_ + j] = Dot(Atom(j), &along_[i * width_]);
      args_.activity_sums[j] += a;
      args_.activity_sums[units_ + j] += a * a;
      args_.activity_sums[2 * units_ + j] += Active(points_[i * units_ + j].value);
    }
  }

  // Returns the first-order term of row i.
  double Decode(int64_t i, double* squared_error) {
    double first_order = 0;
    for (int64_t d = 0; d < width_; ++d) {
      double y = args_.decoder_bias[d], change = 0;
      for (int64_t j = 0; j < units_; ++j) {
        const ActivationPoint<double>& point = points_[i * units_ + j];
        y += point.value * kept_[i * units_ + j] * Atom(j)[d];
        change += point.slope * directional_[i * units_ + j] * Atom(j)[d];
      }
      if (args_.sigmoid_output) y = ActivationAt(Activation::kSigmoid, y).value;
      const double r = y - args_.x[i * width_ + d];
      residual_[i * width_ + d] = r;
      change_[i * width_ + d] = change;
      *squared_error += r * r;
      first_order += 2 * r * change;
    }
    return first_order;
  }

  // Returns the unit's part of the penalties.
  double UnitGradient(int64_t j, bool count_rows) {
    const double length2 = squared_length_[j], length4 = length2 * length2;
    double slope_of_mean = 0, penalty = 0;
    if (args_.sparsity.weight > 0) {
      double sum = 0;
      for (int64_t i = 0; i < args_.rows; ++i) sum += points_[i * units_ + j].value;
      float& running = args_.sparsity.running_mean[j];
      running = static_cast<float>(NextMeanActivity(args_.sparsity, running, sum / Rows()));
      const SparsityPoint point = SparsityAt(args_.sparsity, running);
      penalty += args_.sparsity.weight * point.value;
      slope_of_mean = args_.sparsity.weight * point.slope / Rows();
    }
    Reals gradient(width_);
    double bias = 0, squared_slopes = 0;
    for (int64_t i = 0; i < args_.rows; ++i) {
      const ActivationPoint<double>& point = points_[i * units_ + j];
      const double u = directional_[i * units_ + j];
      double dh = slope_of_mean, dv = 0;
      for (int64_t d = 0; d < width_; ++d) {
        dh += OutputGradient(i, d) * Atom(j)[d];
        if (args_.first_order) dv += 2 / Rows() * residual_[i * width_ + d] * Atom(j)[d];
      }
      const double contraction = args_.contraction * length2 + args_.marginal * length4;
      const double kept = kept_[i * units_ + j];
      const double da =
          kept * point.slope * dh + point.curvature * u * dv + 2 / Rows() * contraction * point.slope * point.curvature;
      const double du = point.slope * dv;
      for (int64_t d = 0; d < width_; ++d) {
        gradient[d] += kept * point.value * OutputGradient(i, d) + da * seen_[i * width_ + d];
        if (!args_.first_order) continue;
        gradient[d] += point.slope * u * 2 / Rows() * residual_[i * width_ + d] + du * along_[i * width_ + d];
      }
      bias += da;
      penalty += contraction * point.slope * point.slope / Rows();
      squared_slopes += point.slope * point.slope;
      if (count_rows) args_.active_rows[j] += Active(point.value);
    }
    const double by_length = args_.fixed_lengths ? 0 : 2 * args_.contraction + 4 * args_.marginal * length2;
    const double along_atom = args_.weight_decay + squared_slopes / Rows() * by_length;
    for (int64_t d = 0; d < width_; ++d) {
      args_.gradient_atoms[j * width_ + d] = static_cast<float>(gradient[d] + along_atom * Atom(j)[d]);
    }
    args_.gradient_bias[j] = static_cast<float>(bias);
    return penalty;
  }

  const RegularisedPassArgs& args_;
  const int64_t units_, width_;
  Reals seen_, along_;                           // [rows, width]: what the encoder sees, and e
  std::vector<ActivationPoint<double>> points_;  // [rows, units]
  std::vector<float> kept_;                      // [rows, units]: the factors of dropout
  Reals directional_;                            // [rows, units]: W e
  Reals residual_, change_;                      // [rows, width]: r and p
  Reals squared_length_;                         // [units]
};

}  // namespace

void ReferenceAffineActivation(const AffineActivationArgs& args) {
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t j = 0; j < args.units; ++j) {
      const float a =
          simd::FixedOrderDot(args.x + i * args.width, args.atoms + j * args.width, args.width) + args.bias[j];
      args.output[i * args.units + j] = args.pre_activations ? a : ActivationAt(args.activation, a).value;
    }
  }
}

void ReferenceRegularisedPass(const RegularisedPassArgs& args) { ReferencePass(args).Run(); }

}  // namespace kwta

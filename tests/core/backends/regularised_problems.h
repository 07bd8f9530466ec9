// Small problems of regularised passes, and the paper's losses as plain loops in binary64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/backends/regularised_args.h"
#include "tests/core/backends/conformance.h"

namespace kwta {

struct RegularisedProblem {
  int64_t rows, units, width;
  std::vector<float> atoms, bias, decoder_bias, x, running_mean;
};

inline RegularisedProblem RandomRegularisedProblem(int64_t rows, int64_t units, int64_t width, double bias,
                                                   uint64_t seed) {
  RegularisedProblem problem{rows, units, width, {}, {}, {}, {}, {}};
  problem.atoms = Gaussians(units * width, seed, 1 / std::sqrt(static_cast<double>(width)));
  problem.bias = Gaussians(units, seed + 1, 0.3);
  for (float& each : problem.bias) each += static_cast<float>(bias);
  problem.decoder_bias = Gaussians(width, seed + 2, 0.3);
  problem.x = Gaussians(rows * width, seed + 3);
  problem.running_mean.assign(units, -1.0f);
  return problem;
}

// The loss as the paper writes it, in binary64, with derivatives of s by hand.
class RegularisedOracle {
 public:
  RegularisedOracle(const RegularisedProblem& problem, const RegularisedPassArgs& args)
      : args_(args),
        rows_(problem.rows),
        units_(problem.units),
        width_(problem.width),
        atoms(problem.atoms.begin(), problem.atoms.end()),
        bias(problem.bias.begin(), problem.bias.end()),
        decoder_bias(problem.decoder_bias.begin(), problem.decoder_bias.end()),
        x_(problem.x) {
    corrupted_.resize(x_.size());
    factors_.assign(rows_ * units_, 1.0f);
    for (int64_t i = 0; i < rows_; ++i) {
      if (args.dropout.probability > 0) DrawDropout(args.dropout, i, units_, factors_.data() + i * units_);
      CorruptRow(args.corruption, i, x_.data() + i * width_, width_, corrupted_.data() + i * width_);
    }
  }

  double S(double a) const {
    if (args_.activation == Activation::kReLU) return a > 0 ? a : 0;
    if (args_.activation == Activation::kSigmoid) return 1 / (1 + std::exp(-a));
    return std::log(1 + std::exp(a));
  }
  double Slope(double a) const {
    if (args_.activation == Activation::kReLU) return a > 0 ? 1 : 0;
    const double sigmoid = 1 / (1 + std::exp(-a));
    return args_.activation == Activation::kSigmoid ? sigmoid * (1 - sigmoid) : sigmoid;
  }
  std::vector<double> PreActivations(const float* row) const {
    std::vector<double> a(bias);
    for (int64_t j = 0; j < units_; ++j) {
      for (int64_t d = 0; d < width_; ++d) a[j] += atoms[j * width_ + d] * row[d];
    }
    return a;
  }
  // The smallest distance of a pre-activation from the kink of ReLU.
  double FromKink() const {
    double least = 1e9;
    const std::vector<float>& seen = args_.first_order ? x_ : corrupted_;
    for (int64_t i = 0; i < rows_; ++i) {
      for (const double a : PreActivations(seen.data() + i * width_)) least = std::min(least, std::abs(a));
    }
    return least;
  }

  double SquaredError() const {
    double sum = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      for (const double r : Residual(i)) sum += r * r;
    }
    return sum;
  }

  double Penalty() const {
    double sum = 0;
    std::vector<double> mean(units_);
    for (int64_t i = 0; i < rows_; ++i) {
      const std::vector<double> a = PreActivations(Seen(i));
      for (int64_t j = 0; j < units_; ++j) {
        double length2 = 0;
        for (int64_t d = 0; d < width_; ++d) length2 += atoms[j * width_ + d] * atoms[j * width_ + d];
        const double slope = Slope(a[j]);
        sum += slope * slope * (args_.contraction * length2 + args_.marginal * length2 * length2) / Rows();
        mean[j] += S(a[j]) / Rows();
      }
      if (!args_.first_order) continue;
      // (x~ - x)' grad l, the gradient with respect to the input: -2 (x - y)' dy/dx.
      const std::vector<double> r = Residual(i);
      for (int64_t d = 0; d < width_; ++d) {
        double derivative = 0;
        for (int64_t j = 0; j < units_; ++j) {
          for (int64_t o = 0; o < width_; ++o) {
            derivative += 2 * r[o] * atoms[j * width_ + o] * Slope(a[j]) * atoms[j * width_ + d];
          }
        }
        sum += (double{corrupted_[i * width_ + d]} - x_[i * width_ + d]) * derivative / Rows();
      }
    }
    if (args_.sparsity.weight == 0) return sum;
    const double target = args_.sparsity.target, limit = args_.sparsity.limit;
    const auto f = [target](double rho) {
      if (target == 0) return -std::log(1 - rho);
      return target * std::log(target / rho) + (1 - target) * std::log((1 - target) / (1 - rho));
    };
    for (const double rho : mean) {
      // The tangent at the nearer end of the range.
      const double end = std::min(std::max(rho, target / 1000), limit);
      const double slope = target == 0 ? 1 / (1 - end) : (1 - target) / (1 - end) - target / end;
      sum += args_.sparsity.weight * (rho == end ? f(rho) : f(end) + slope * (rho - end));
    }
    return sum;
  }

  double Loss() const {
    double decay = 0;
    for (const double weight : atoms) decay += weight * weight;
    return (args_.sigmoid_output ? CrossEntropy() : SquaredError()) / Rows() + Penalty() +
           0.5 * args_.weight_decay * decay;
  }

 private:
  double Rows() const { return static_cast<double>(rows_); }
  const float* Seen(int64_t i) const { return (args_.first_order ? x_ : corrupted_).data() + i * width_; }
  // W'h + b' of row i, with the activities that dropout leaves.
  std::vector<double> Outputs(int64_t i) const {
    const std::vector<double> a = PreActivations(Seen(i));
    std::vector<double> y(decoder_bias);
    for (int64_t j = 0; j < units_; ++j) {
      const double h = factors_[i * units_ + j] * S(a[j]);
      for (int64_t d = 0; d < width_; ++d) y[d] += h * atoms[j * width_ + d];
    }
    return y;
  }
  std::vector<double> Residual(int64_t i) const {
    std::vector<double> r = Outputs(i);
    for (int64_t d = 0; d < width_; ++d) {
      if (args_.sigmoid_output) r[d] = 1 / (1 + std::exp(-r[d]));
      r[d] -= x_[i * width_ + d];
    }
    return r;
  }
  double CrossEntropy() const {
    double sum = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      const std::vector<double> outputs = Outputs(i);
      for (int64_t d = 0; d < width_; ++d) {
        const double y = 1 / (1 + std::exp(-outputs[d])), x = x_[i * width_ + d];
        sum -= x * std::log(y) + (1 - x) * std::log(1 - y);
      }
    }
    return sum;
  }

  const RegularisedPassArgs args_;
  const int64_t rows_, units_, width_;

 public:
  std::vector<double> atoms, bias, decoder_bias;

 private:
  const std::vector<float> x_;
  std::vector<float> corrupted_, factors_;
};

}  // namespace kwta

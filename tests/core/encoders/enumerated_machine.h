// A restricted Boltzmann machine that is small enough to enumerate.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/io/arrays/safetensors.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::rbm_test {

// 64 states of the hidden units, 32 of the visible ones.
inline constexpr int64_t kHidden = 6, kVisible = 5;
inline constexpr int kHiddenStates = 1 << kHidden, kVisibleStates = 1 << kVisible;

inline double Bit(int state, int64_t unit) { return (state >> unit) & 1; }
inline double Logistic(double a) { return 1 / (1 + std::exp(-a)); }

// A machine by enumeration, in binary64.
struct Machine {
  explicit Machine(const TensorMap& tensors)
      : w(KSparseOracle::Copy(tensors.at("atoms"))),
        b(KSparseOracle::Copy(tensors.at("bias"))),
        c(KSparseOracle::Copy(tensors.at("decoder_bias"))) {}

  double Energy(int visible, int hidden) const {
    double energy = 0;
    for (int64_t j = 0; j < kHidden; ++j) {
      energy -= b[j] * Bit(hidden, j);
      for (int64_t d = 0; d < kVisible; ++d) energy -= Bit(hidden, j) * w[j * kVisible + d] * Bit(visible, d);
    }
    for (int64_t d = 0; d < kVisible; ++d) energy -= c[d] * Bit(visible, d);
    return energy;
  }
  double HiddenOn(int64_t j, int visible) const {
    double a = b[j];
    for (int64_t d = 0; d < kVisible; ++d) a += w[j * kVisible + d] * Bit(visible, d);
    return Logistic(a);
  }
  double VisibleOn(int64_t d, int hidden) const {
    double a = c[d];
    for (int64_t j = 0; j < kHidden; ++j) a += w[j * kVisible + d] * Bit(hidden, j);
    return Logistic(a);
  }
  double HiddenGivenVisible(int hidden, int visible) const {
    double p = 1;
    for (int64_t j = 0; j < kHidden; ++j) p *= Bit(hidden, j) == 1 ? HiddenOn(j, visible) : 1 - HiddenOn(j, visible);
    return p;
  }
  double VisibleGivenHidden(int visible, int hidden) const {
    double p = 1;
    for (int64_t d = 0; d < kVisible; ++d) {
      p *= Bit(visible, d) == 1 ? VisibleOn(d, hidden) : 1 - VisibleOn(d, hidden);
    }
    return p;
  }
  // exp(-E) summed over the hidden units.
  double Weight(int visible) const {
    double sum = 0;
    for (int hidden = 0; hidden < kHiddenStates; ++hidden) sum += std::exp(-Energy(visible, hidden));
    return sum;
  }
  // The probability of each visible state.
  std::vector<double> Model() const {
    std::vector<double> p;
    double sum = 0;
    for (int visible = 0; visible < kVisibleStates; ++visible) sum += p.emplace_back(Weight(visible));
    for (double& each : p) each /= sum;
    return p;
  }
  // The visible states after one Gibbs step from `from`.
  std::vector<double> Step(const std::vector<double>& from) const {
    std::vector<double> hidden(kHiddenStates), to(kVisibleStates);
    for (int h = 0; h < kHiddenStates; ++h) {
      for (int v = 0; v < kVisibleStates; ++v) hidden[h] += from[v] * HiddenGivenVisible(h, v);
    }
    for (int v = 0; v < kVisibleStates; ++v) {
      for (int h = 0; h < kHiddenStates; ++h) to[v] += hidden[h] * VisibleGivenHidden(v, h);
    }
    return to;
  }

  std::vector<double> w, b, c;
};

// The means of h_j v_d, of h_j and of v_d when visible states have these probabilities.
struct Statistics {
  Statistics(const Machine& machine, const std::vector<double>& visible) {
    for (int v = 0; v < kVisibleStates; ++v) {
      for (int64_t j = 0; j < kHidden; ++j) {
        const double on = machine.HiddenOn(j, v) * visible[v];
        h[j] += on;
        for (int64_t d = 0; d < kVisible; ++d) hv[j * kVisible + d] += on * Bit(v, d);
      }
      for (int64_t d = 0; d < kVisible; ++d) x[d] += visible[v] * Bit(v, d);
    }
  }
  std::vector<double> hv = std::vector<double>(kHidden * kVisible), h = std::vector<double>(kHidden),
                      x = std::vector<double>(kVisible);
};

}  // namespace kwta::rbm_test

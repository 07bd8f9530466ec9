// One pass of a regularised autoencoder (core/backends/regularised_args.h), between products.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/backends/activation.h"
#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/sparsity_penalty.h"
#include "core/base/rng_seed.h"

namespace kwta::cuda {

// std::mt19937_64.
struct Mersenne {
  static constexpr int kSize = 312, kMiddle = 156;

  static KWTA_HOST_DEVICE uint64_t Next(uint64_t own, uint64_t next, uint64_t far) {
    const uint64_t mixed = (own & 0xFFFFFFFF80000000ull) | (next & 0x7FFFFFFFull);
    return far ^ (mixed >> 1) ^ ((mixed & 1) != 0 ? 0xB5026F5AA96619E9ull : 0);
  }
  static KWTA_HOST_DEVICE uint64_t Draw(uint64_t y) {
    y ^= y >> 29 & 0x5555555555555555ull;
    y ^= y << 17 & 0x71D67FFFEDA60000ull;
    y ^= y << 37 & 0xFFF7EEE000000000ull;
    return y ^ y >> 43;
  }
};

// CorruptRow (core/backends/corruption.h), a block a row: with the numbers that Rng draws for it.
struct CorruptKernel {
  static constexpr KernelId kId = KernelId::kCorrupt;
  static constexpr const char* kName = "corrupt";
  static constexpr int kMaxThreads = 160;

  struct Args {
    Global<const float> x;
    int64_t width = 0;
    bool masking = false;
    double amount = 0;  // probability, or standard deviation
    uint64_t seed = 0, first_row = 0;
    Global<float> out;
    bool difference = false;  // writes the change instead of the changed row
  };
  static int64_t SharedBytes(const Args&, int) { return 2 * Mersenne::kSize * 8; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    constexpr int kSize = Mersenne::kSize, kMiddle = Mersenne::kMiddle;
    auto old = t.template Shared<uint64_t>(kSize);
    auto state = t.template Shared<uint64_t>(kSize);
    if (t.thread() == 0) {
      uint64_t value = EngineSeed(a.seed, a.first_row + static_cast<uint64_t>(t.block()));
      state.Set(0, value);
      for (int i = 1; t.Below(i, kSize); ++i) {
        value = 6364136223846793005ull * (value ^ value >> 62) + static_cast<uint64_t>(i);
        state.Set(i, value);
      }
    }
    for (int64_t begin = 0; t.Below(begin, a.width); begin += kSize) {
      t.Barrier();
      for (int i = t.thread(); t.Below(i, kSize); i += t.threads()) old.Set(i, state.Get(i));
      t.Barrier();
      for (int i = t.thread(); t.Below(i, kMiddle); i += t.threads()) {
        state.Set(i, Mersenne::Next(old.Get(i), old.Get(i + 1), old.Get(i + kMiddle)));
      }
      t.Barrier();
      for (int i = kMiddle + t.thread(); t.Below(i, kSize); i += t.threads()) {
        const uint64_t next = i + 1 < kSize ? old.Get(i + 1) : state.Get(0);
        state.Set(i, Mersenne::Next(old.Get(i), next, state.Get(i - kMiddle)));
      }
      t.Barrier();
      for (int pair = t.thread(); t.Below(pair, kSize / 2); pair += t.threads()) {
        const int64_t d = begin + 2 * pair;
        if (!t.Below(d, a.width)) break;
        const double first = UniformOf(Mersenne::Draw(state.Get(2 * pair)));
        const double second = UniformOf(Mersenne::Draw(state.Get(2 * pair + 1)));
        if (a.masking) {
          Write(t, a, d, first <= a.amount, 0);
          if (t.Below(d + 1, a.width)) Write(t, a, d + 1, second <= a.amount, 0);
        } else {
          const double radius = sqrt(-2.0 * log(first)), angle = 2.0 * 3.14159265358979323846 * second;
          Write(t, a, d, false, radius * cos(angle));
          if (t.Below(d + 1, a.width)) Write(t, a, d + 1, false, radius * sin(angle));
        }
      }
    }
  }

 private:
  template <typename Thread>
  static KWTA_HOST_DEVICE void Write(Thread& t, const Args& a, int64_t d, bool mask, double noise) {
    const float x = t.Load(a.x, t.block() * a.width + d);
    const float changed = mask ? 0.0f : a.masking ? x : static_cast<float>(x + a.amount * noise);
    t.Store(a.out, t.block() * a.width + d, a.difference ? changed - x : changed);
  }
};

// h = s(a) and, if asked for, v = s'(a) u, where a is the product plus the bias: a thread an activity.
struct ActivateKernel {
  static constexpr KernelId kId = KernelId::kActivate;
  static constexpr const char* kName = "activate";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> products, bias, u;
    int64_t units = 0;
    Activation activation = Activation::kReLU;
    Global<float> h, v;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (!t.Below(i, a.products.size)) return;
    const auto point = ActivationAt(a.activation, t.Load(a.products, i) + t.Load(a.bias, i % a.units));
    t.Store(a.h, i, point.value);
    if (!IsNull(a.v)) t.Store(a.v, i, point.slope * t.Load(a.u, i));
  }
};

// What a unit adds to the penalties, and how it changes the gradients.
struct UnitTerms {
  Global<float> slope_of_mean;  // [units]: of the sparsity, per activity
  Global<float> contraction;    // [units]: the factor of s'(a)^2
  Global<float> along_atom;     // [units]: the factor of the atom in its own gradient
  Global<double> penalty;       // [units]
  Global<int32_t> active;       // [units]: rows
};

// Sums over the rows for each unit, a block a unit: activity statistics, running mean and penalties.
struct UnitTermsKernel {
  static constexpr KernelId kId = KernelId::kUnitTerms;
  static constexpr const char* kName = "unit_terms";
  static constexpr int kMaxThreads = 128, kSums = 6;

  struct Args {
    Global<const float> atoms, products, bias;
    int64_t rows = 0, units = 0, width = 0;
    Activation activation = Activation::kReLU;
    float contraction = 0, marginal = 0, weight_decay = 0;
    SparsityPenalty sparsity;
    Global<float> running_mean;
    Global<double> activity_sums;  // in, out [3, units]
    UnitTerms terms;
  };
  static int64_t SharedBytes(const Args&, int) { return kSums * kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto shared = t.template Shared<double>(kSums * kWarp);
    double sums[kSums] = {};
    double &length2 = sums[0], &sum = sums[1], &squares = sums[2], &active = sums[3], &mean = sums[4],
           &slopes = sums[5];
    const int64_t unit = t.block();
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const double weight = t.Load(a.atoms, unit * a.width + d);
      length2 += weight * weight;
    }
    for (int64_t i = t.thread(); t.Below(i, a.rows); i += t.threads()) {
      const float z = t.Load(a.products, i * a.units + unit) + t.Load(a.bias, unit);
      const auto point = ActivationAt(a.activation, z);
      sum += z;
      squares += static_cast<double>(z) * z;
      active += point.value > ActivationThreshold(a.activation) ? 1 : 0;
      mean += point.value;
      slopes += static_cast<double>(point.slope) * point.slope;
    }
    BlockSums(t, shared, sums);
    if (t.thread() != 0) return;
    Grow(t, a, unit, sum);
    Grow(t, a, a.units + unit, squares);
    Grow(t, a, 2 * a.units + unit, active);
    const double rows = static_cast<double>(a.rows);
    const double contraction = a.contraction * length2 + a.marginal * length2 * length2;
    double penalty = contraction * slopes / rows, slope_of_mean = 0;
    if (a.sparsity.weight > 0) {
      const float running = static_cast<float>(NextMeanActivity(a.sparsity, t.Load(a.running_mean, unit), mean / rows));
      t.Store(a.running_mean, unit, running);
      const SparsityPoint point = SparsityAt(a.sparsity, running);
      penalty += a.sparsity.weight * point.value;
      slope_of_mean = a.sparsity.weight * point.slope / rows;
    }
    t.Store(a.terms.slope_of_mean, unit, static_cast<float>(slope_of_mean));
    t.Store(a.terms.contraction, unit, static_cast<float>(contraction));
    t.Store(a.terms.along_atom, unit,
            static_cast<float>(a.weight_decay + slopes / rows * (2 * a.contraction + 4 * a.marginal * length2)));
    t.Store(a.terms.penalty, unit, penalty);
    t.Store(a.terms.active, unit, static_cast<int32_t>(active));
  }

 private:
  template <typename Thread>
  static KWTA_HOST_DEVICE void Grow(Thread& t, const Args& a, int64_t i, double by) {
    t.Store(a.activity_sums, i, t.Load(a.activity_sums, i) + by);
  }
};

// r = y + b' - x and the gradient of E with respect to y, a block a row; sums of r^2 and, over the rows, of 2 r p.
struct OutputErrorKernel {
  static constexpr KernelId kId = KernelId::kOutputError;
  static constexpr const char* kName = "output_error";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> bias, x, change;  // change: p, or none
    int64_t width = 0;
    double rows = 1;
    Global<float> output;                 // in: y without bias; out: 2 / rows r
    Global<float> gradient;               // out: 2 / rows (r + p)
    Global<double> squares, first_order;  // [rows]
  };
  static int64_t SharedBytes(const Args&, int) { return 2 * kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(2 * kWarp);
    double squares = 0, first_order = 0;
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const int64_t i = t.block() * a.width + d;
      const double r = static_cast<double>(t.Load(a.output, i)) + t.Load(a.bias, d) - t.Load(a.x, i);
      const double p = IsNull(a.change) ? 0.0f : t.Load(a.change, i);
      t.Store(a.output, i, static_cast<float>(2 / a.rows * r));
      t.Store(a.gradient, i, static_cast<float>(2 / a.rows * (r + p)));
      squares += r * r;
      first_order += 2 * r * p;
    }
    double both[2] = {squares, first_order};
    BlockSums(t, sums, both);
    if (t.thread() != 0) return;
    t.Store(a.squares, t.block(), both[0]);
    t.Store(a.first_order, t.block(), both[1] / a.rows);
  }
};

// The gradients with respect to a and, if asked for, to u: a thread an activity.
struct ActivityGradientKernel {
  static constexpr KernelId kId = KernelId::kActivityGradient;
  static constexpr const char* kName = "activity_gradient";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> products, bias, u;
    UnitTerms terms;
    int64_t units = 0;
    double rows = 1;
    Activation activation = Activation::kReLU;
    Global<float> dh;  // in: gradient times atoms; out: da
    Global<float> dv;  // in: 2 / rows r times atoms; out: du. Or none
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (!t.Below(i, a.products.size)) return;
    const int64_t unit = i % a.units;
    const auto point = ActivationAt(a.activation, t.Load(a.products, i) + t.Load(a.bias, unit));
    const float dh = t.Load(a.dh, i) + t.Load(a.terms.slope_of_mean, unit);
    float da = point.slope * dh +
               static_cast<float>(2 / a.rows) * t.Load(a.terms.contraction, unit) * point.slope * point.curvature;
    if (!IsNull(a.dv)) {
      const float dv = t.Load(a.dv, i);
      da += point.curvature * t.Load(a.u, i) * dv;
      t.Store(a.dv, i, point.slope * dv);
    }
    t.Store(a.dh, i, da);
  }
};

// Adds what lies along the atoms to their gradient, a block a unit; and the rows to active_rows, if the error is
// finite.
struct AlongAtomsKernel {
  static constexpr KernelId kId = KernelId::kAlongAtoms;
  static constexpr const char* kName = "along_atoms";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> atoms;
    UnitTerms terms;
    int64_t width = 0;
    Global<const double> gate;
    Global<float> gradient;
    Global<int32_t> active_rows;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t unit = t.block();
    const float factor = t.Load(a.terms.along_atom, unit);
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const int64_t i = unit * a.width + d;
      t.Store(a.gradient, i, t.Load(a.gradient, i) + factor * t.Load(a.atoms, i));
    }
    if (t.thread() != 0 || !MayUpdate(t, a.gate)) return;
    t.Store(a.active_rows, unit, t.Load(a.active_rows, unit) + t.Load(a.terms.active, unit));
  }
};

}  // namespace kwta::cuda

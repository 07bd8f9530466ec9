// One pass of a regularised autoencoder (core/backends/regularised_args.h), between products.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/backends/activation.h"
#include "core/backends/corruption.h"
#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/sparsity_penalty.h"
#include "core/base/counter_rng.h"

namespace kwta::cuda {

// What an element is multiplied by: DrawDropout (core/backends/corruption.h).
struct DropoutFactors {
  uint64_t seed = 0, first_row = 0;
  uint64_t dropped = 0;  // of 2^32 numbers; 0: no dropout
  float kept = 1;

  KWTA_HOST_DEVICE float Of(int64_t row, int64_t j) const {
    if (dropped == 0) return 1;
    const CounterRng rng(seed, first_row + static_cast<uint64_t>(row));
    const uint64_t pair = rng.Pair(static_cast<uint64_t>(j) / 2);
    return (j % 2 == 0 ? pair & 0xFFFFFFFFu : pair >> 32) < dropped ? 0.0f : kept;
  }
};

// The numbers of core/simd/row_noise.h, with their bits.
struct Noise {
  static KWTA_HOST_DEVICE uint32_t Finalise(uint32_t h) {
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
  }
  static KWTA_HOST_DEVICE uint32_t Bits(uint64_t key, uint32_t element) {
    const uint32_t once = Finalise(element * 0x9e3779b9u + static_cast<uint32_t>(key));
    return Finalise(once ^ static_cast<uint32_t>(key >> 32));
  }
  static KWTA_HOST_DEVICE float Uniform(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f + 0x1p-25f; }
  static KWTA_HOST_DEVICE float Logarithm(float x) {
    int32_t bits = 0;
    memcpy(&bits, &x, sizeof(bits));
    const int32_t exponent = (bits - 0x3f3504f3) >> 23;
    bits -= exponent * (1 << 23);
    float m = 0;
    memcpy(&m, &bits, sizeof(m));
    const float t = (m - 1.0f) / (m + 1.0f);
    const float square = t * t;
    float series = square * (2.0f / 9) + 2.0f / 7;
    series = series * square + 2.0f / 5;
    series = series * square + 2.0f / 3;
    series = series * square + 2.0f;
    return series * t + static_cast<float>(exponent) * 0.693147182f;
  }
  // A pair's numbers are 16 elements apart, in blocks of 32.
  static KWTA_HOST_DEVICE float Gaussian(uint64_t key, uint32_t element) {
    const bool second = element % 32 >= 16;
    const uint32_t first = second ? element - 16 : element;
    const float radius = sqrtf(Logarithm(Uniform(Bits(key, first))) * -2.0f);
    const uint32_t angle_bits = Bits(key, first + 16), quarter = angle_bits >> 30;
    const float angle = (Uniform(angle_bits << 2) - 0.5f) * 1.57079633f;
    const float square = angle * angle;
    float sine = square * 2.75573192e-6f - 1.98412698e-4f;
    sine = sine * square + 8.33333333e-3f;
    sine = sine * square - 1.66666667e-1f;
    sine = sine * square * angle + angle;
    float cosine = square * 2.48015873e-5f - 1.38888889e-3f;
    cosine = cosine * square + 4.16666667e-2f;
    cosine = cosine * square - 0.5f;
    cosine = cosine * square + 1.0f;
    const bool odd = (quarter & 1) != 0;
    const float number = odd != second ? sine : cosine;
    const uint32_t turned = second ? quarter : quarter + 1;
    return ((turned & 2) != 0 ? -number : number) * radius;
  }
};

// CorruptRow (core/backends/corruption.h), a block a row.
struct CorruptKernel {
  static constexpr KernelId kId = KernelId::kCorrupt;
  static constexpr const char* kName = "corrupt";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> x;
    int64_t width = 0;
    CorruptionKind kind = CorruptionKind::kNone;
    uint64_t seed = 0, first_row = 0;
    float deviation = 0;  // of Gaussian noise
    uint32_t rate = 0;    // of masking, of 2^32
    DropoutFactors dropout;
    Global<float> out;
    bool difference = false;  // writes the change instead of the changed row
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const uint64_t key = CounterRng(a.seed, a.first_row + static_cast<uint64_t>(t.block())).key();
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const float x = t.Load(a.x, t.block() * a.width + d);
      const auto element = static_cast<uint32_t>(d);
      float changed = x;
      if (a.kind == CorruptionKind::kGaussian) changed = x + a.deviation * Noise::Gaussian(key, element);
      if (a.kind == CorruptionKind::kMasking) changed = Noise::Bits(key, element) >= a.rate ? x : 0.0f;
      if (a.kind == CorruptionKind::kDropout) changed = a.dropout.Of(t.block(), d) * x;
      t.Store(a.out, t.block() * a.width + d, a.difference ? changed - x : changed);
    }
  }
};

// h = s(a) times its dropout and, if asked for, v = s'(a) u, where a is the product plus the bias: a thread an
// activity.
struct ActivateKernel {
  static constexpr KernelId kId = KernelId::kActivate;
  static constexpr const char* kName = "activate";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> products, bias, u;
    int64_t units = 0;
    Activation activation = Activation::kReLU;
    DropoutFactors dropout;
    Global<float> h, v;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (!t.Below(i, a.products.size)) return;
    const auto point = ActivationAt(a.activation, t.Load(a.products, i) + t.Load(a.bias, i % a.units));
    t.Store(a.h, i, point.value * a.dropout.Of(i / a.units, i % a.units));
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

// Sums over the rows for each unit: activity statistics, running mean and penalties. A block has 32 units, a lane each,
// so that its warps read whole rows of products.
struct UnitTermsKernel {
  static constexpr KernelId kId = KernelId::kUnitTerms;
  static constexpr const char* kName = "unit_terms";
  static constexpr int kMaxThreads = 128, kSums = 5;

  struct Args {
    Global<const float> atoms, products, bias;
    int64_t rows = 0, units = 0, width = 0;
    Activation activation = Activation::kReLU;
    float contraction = 0, marginal = 0, weight_decay = 0;
    bool fixed_lengths = false;
    SparsityPenalty sparsity;
    Global<float> running_mean;
    Global<double> activity_sums;  // in, out [3, units]
    UnitTerms terms;
  };
  static int64_t Blocks(const Args& a) { return (a.units + kWarp - 1) / kWarp; }
  static int64_t SharedBytes(const Args&, int threads) { return kSums * threads * 8 + kWarp * 8; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto shared = t.template Shared<double>(kSums * t.threads());
    auto lengths = t.template Shared<double>(kWarp);
    const int warps = t.threads() / kWarp;
    const int64_t first = t.block() * kWarp, unit = first + t.lane();
    // Squared lengths of the atoms, a warp each in turn.
    for (int j = t.warp(); t.Below(j, kWarp); j += warps) {
      double length2 = 0;
      if (t.Below(first + j, a.units)) {
        for (int64_t d = t.lane(); t.Below(d, a.width); d += kWarp) {
          const double weight = t.Load(a.atoms, (first + j) * a.width + d);
          length2 += weight * weight;
        }
      }
      length2 = WarpSum(t, length2);
      if (t.lane() == 0) lengths.Set(j, length2);
    }
    double sums[kSums] = {};
    double &sum = sums[0], &squares = sums[1], &active = sums[2], &mean = sums[3], &slopes = sums[4];
    if (t.Below(unit, a.units)) {
      const float bias = t.Load(a.bias, unit);
      for (int64_t i = t.warp(); t.Below(i, a.rows); i += warps) {
        const float z = t.Load(a.products, i * a.units + unit) + bias;
        const auto point = ActivationAt(a.activation, z);
        sum += z;
        squares += static_cast<double>(z) * z;
        active += point.value > ActivationThreshold(a.activation) ? 1 : 0;
        mean += point.value;
        slopes += static_cast<double>(point.slope) * point.slope;
      }
    }
    for (int s = 0; s < kSums; ++s) shared.Set(s * t.threads() + t.thread(), sums[s]);
    t.Barrier();
    if (t.warp() != 0 || !t.Below(unit, a.units)) return;
    for (int s = 0; s < kSums; ++s) {
      for (int warp = 1; t.Below(warp, warps); ++warp) {
        sums[s] += shared.Get(s * t.threads() + warp * kWarp + t.lane());
      }
    }
    const double length2 = lengths.Get(t.lane());
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
    const double by_length = a.fixed_lengths ? 0 : 2 * a.contraction + 4 * a.marginal * length2;
    t.Store(a.terms.along_atom, unit, static_cast<float>(a.weight_decay + slopes / rows * by_length));
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
    bool sigmoid = false;                 // y is the sigmoid, and the loss the cross-entropy: half the gradient
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
      double y = static_cast<double>(t.Load(a.output, i)) + t.Load(a.bias, d);
      if (a.sigmoid) y = ActivationAt(Activation::kSigmoid, y).value;
      const double r = y - t.Load(a.x, i);
      const double p = IsNull(a.change) ? 0.0f : t.Load(a.change, i);
      t.Store(a.output, i, static_cast<float>(2 / a.rows * r));
      t.Store(a.gradient, i, static_cast<float>((a.sigmoid ? 1 : 2) / a.rows * (r + p)));
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
    DropoutFactors dropout;
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
    float da = a.dropout.Of(i / a.units, unit) * point.slope * dh +
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

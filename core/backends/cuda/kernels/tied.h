// Training of a tied dictionary (core/backends/tied_training.h).
#pragma once

#include <cstdint>

#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/cuda/kernels/sparse.h"

namespace kwta::cuda {

// The atoms and velocities that the stored numbers stand for, a block an atom. In place, or elsewhere: then every atom
// is written, and velocities if they are asked for.
struct BringUpToDateKernel {
  static constexpr KernelId kId = KernelId::kBringUpToDate;
  static constexpr const char* kName = "bring_up_to_date";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<float> atoms, velocity, shift, decay;
    int64_t width = 0;
    Global<float> atoms_out, velocity_out;  // none: in place
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t unit = t.block(), row = unit * a.width;
    const float shift = t.Load(a.shift, unit), decay = t.Load(a.decay, unit);
    const bool in_place = IsNull(a.atoms_out);
    if (in_place && shift == 0 && decay == 1) return;
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const float moving = t.Load(a.velocity, row + d);
      t.Store(in_place ? a.atoms : a.atoms_out, row + d, t.Load(a.atoms, row + d) + shift * moving);
      if (in_place || !IsNull(a.velocity_out)) {
        t.Store(in_place ? a.velocity : a.velocity_out, row + d, decay * moving);
      }
    }
    t.Barrier();  // everybody has read both
    if (!in_place || t.thread() != 0) return;
    t.Store(a.shift, unit, 0.0f);
    t.Store(a.decay, unit, 1.0f);
  }
};

// Gradient and update of each atom, its bias and its counts, a block an atom. `scale` is 2 / rows, or that times the
// weight of the auxiliary loss. dz[entry] = scale <residual of its row, atom>.
struct TiedUpdateKernel {
  static constexpr KernelId kId = KernelId::kTiedUpdate;
  static constexpr const char* kName = "tied_update";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Groups groups;
    Global<const float> x, residual, values, dz;
    int64_t rows = 0, k = 0, width = 0;
    float scale = 1, rate = 0, momentum = 0;
    bool unit_norm = false;
    // Adds -rate * gradient to the atoms and to their velocities, of the units that have one: TiedAuxiliaryStep.
    bool auxiliary = false;
    Global<const double> gate;
    Global<float> atoms, velocity, bias, bias_velocity;
    Global<int32_t> active_rows;  // or none
    Global<int64_t> idle_rows;    // or none
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    if (!MayUpdate(t, a.gate)) return;
    auto sums = t.template Shared<double>(kWarp);
    const int64_t unit = t.block(), row = unit * a.width;
    const int count = t.Load(a.groups.counts, unit);
    if (a.auxiliary && count == 0) return;
    const auto entries = t.View(a.groups.entries, t.Load(a.groups.starts, unit), count);
    if (t.thread() == 0) {
      UpdateBias(t, a, entries, count);
      Count(t, a, unit, count);
    }
    double squares = 0;
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      float gradient = 0;
      for (int i = 0; t.Below(i, count); ++i) {
        const int64_t at = entries[i] / a.k * a.width + d;
        gradient += a.scale * t.Load(a.values, entries[i]) * t.Load(a.residual, at) +
                    t.Load(a.dz, entries[i]) * t.Load(a.x, at);
      }
      double moved = 0;
      if (a.auxiliary) {
        const float step = a.rate * gradient;
        moved = t.Load(a.atoms, row + d) - step;
        t.Store(a.atoms, row + d, static_cast<float>(moved));
        t.Store(a.velocity, row + d, t.Load(a.velocity, row + d) - step);
      } else {
        moved = MomentumStep(t, a.atoms, a.velocity, row + d, gradient, a.rate, a.momentum);
      }
      squares += moved * moved;
    }
    if (a.unit_norm) ScaleRow(t, sums, a.atoms, row, a.width, true, 0, squares);
  }

 private:
  template <typename Thread, typename View>
  static KWTA_HOST_DEVICE void UpdateBias(Thread& t, const Args& a, const View& entries, int count) {
    const int64_t unit = t.block();
    double gradient = 0;
    for (int i = 0; t.Below(i, count); ++i) gradient += t.Load(a.dz, entries[i]);
    if (a.auxiliary) {
      const float step = a.rate * static_cast<float>(gradient);
      t.Store(a.bias, unit, t.Load(a.bias, unit) - step);
      t.Store(a.bias_velocity, unit, t.Load(a.bias_velocity, unit) - step);
    } else {
      MomentumStep(t, a.bias, a.bias_velocity, unit, static_cast<float>(gradient), a.rate, a.momentum);
    }
  }
  template <typename Thread>
  static KWTA_HOST_DEVICE void Count(Thread& t, const Args& a, int64_t unit, int count) {
    if (!IsNull(a.active_rows)) t.Store(a.active_rows, unit, t.Load(a.active_rows, unit) + count);
    if (IsNull(a.idle_rows)) return;
    t.Store(a.idle_rows, unit, count > 0 ? int64_t{0} : t.Load(a.idle_rows, unit) + a.rows);
  }
};

}  // namespace kwta::cuda

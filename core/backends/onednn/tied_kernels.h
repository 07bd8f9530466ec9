// The inner loops of training a tied dictionary, one version for each instruction set.
#pragma once

#include <cstdint>

#include "core/backends/instruction_sets.h"

namespace kwta {

// The gradient of one atom is the sum over `count` rows of residual_scales[e] * residual[rows[e]] + x_scales[e] *
// x[rows[e]].
struct AtomGradient {
  const float* residual = nullptr;         // [.., width]
  const float* x = nullptr;                // [.., width]
  const int32_t* rows = nullptr;           // [count]
  const float* residual_scales = nullptr;  // [count]
  const float* x_scales = nullptr;         // [count]
  int64_t count = 0;
};

// Every function is thread-safe, takes unaligned pointers, and gives the same bits for the same arguments.
struct TiedKernels {
  // out = bias + sum over j < k of values[j] * atoms[indices[j]] - x, in the order of j. Each array of `width`
  // elements.
  void (*decode)(const float* atoms, const int32_t* indices, const float* values, int64_t k, const float* bias,
                 const float* x, int64_t width, float* out);
  // products[j] = <row, atoms[indices[j]]>.
  void (*products)(const float* atoms, const int32_t* indices, int64_t k, const float* row, int64_t width,
                   float* products);
  // velocity = momentum * velocity - rate * gradient, atom += velocity.
  void (*update_atom)(const AtomGradient& gradient, float rate, float momentum, int64_t width, float* atom,
                      float* velocity);
  // atom_out = atom + shift * velocity, velocity_out = decay * velocity; an output may be its input.
  void (*advance)(const float* atom, const float* velocity, float shift, float decay, int64_t width, float* atom_out,
                  float* velocity_out);
};

// REQUIRES: set is in AvailableInstructionSets().
const TiedKernels& TiedKernelsFor(InstructionSet set);

}  // namespace kwta

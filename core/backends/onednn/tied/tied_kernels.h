// The inner loops of training a tied dictionary, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::tied {

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

// An atom w, its velocity, and its distance from scale * bytes. The first four are sums of squares, with some rounding.
struct AtomMeasures {
  float above = 0;     // of the positive elements of w - scale * bytes
  float below = 0;     // of the negative ones
  float length = 0;    // of w
  float velocity = 0;  // of the velocity
  float largest = 0;   // |element| of w; undefined for NaN
};

// Every function is thread-safe, takes unaligned pointers, and returns the same bits for the same arguments.
struct TiedKernels {
  // Computes residual = bias + sum over j < k of values[j] * atoms[j] - x, in the order of j, for arrays of `width`
  // elements, and products[j] = <residual, atoms[j]>. partial has room for 16 k numbers.
  void (*reconstruct)(const float* const* atoms, const float* values, int64_t k, const float* bias, const float* x,
                      int64_t width, float* residual, float* products, float* partial);
  // On the atom and velocity that advance would compute, with the same bits:
  //   velocity = momentum * velocity - rate * gradient, atom += velocity.
  // If bytes is not null, also measures the new atom. The result does not depend on whether it does.
  AtomMeasures (*update_atom)(const AtomGradient& gradient, float rate, float momentum, float shift, float decay,
                              int64_t width, float* atom, float* velocity, const int8_t* bytes, float scale);
  // atom_out = atom + shift * velocity, velocity_out (may be null) = decay * velocity; an output may be its input.
  // Returns whether an element of velocity was not zero.
  bool (*advance)(const float* atom, const float* velocity, float shift, float decay, int64_t width, float* atom_out,
                  float* velocity_out);
  // bytes has `width` elements.
  AtomMeasures (*measure)(const float* atom, const float* velocity, const int8_t* bytes, float scale, int64_t width);
  // bytes = atom * inverse, rounded. REQUIRES: |atom * inverse| < 127.5.
  void (*to_bytes)(const float* atom, float inverse, int64_t width, int8_t* bytes);
};

// REQUIRES: set is in AvailableInstructionSets().
const TiedKernels& TiedKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::tied

// The elementwise parts of a regularised pass, for 16 units at a time, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/backends/activation.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::regularised {

constexpr int64_t kUnitLanes = 16;

// Arrays [rows, stride] begin at the first of the 16 units; all 16 columns are readable, and writable if written.
struct UnitArrays {
  Activation activation = Activation::kReLU;
  int64_t rows = 0, stride = 0;
  const float* bias = nullptr;         // [16]
  float* slopes = nullptr;             // in: atoms x; out: s'(a), if s is not ReLU (whose slope is 1 where h > 0)
  const float* factors = nullptr;      // of dropout, or null
  float* activities = nullptr;         // out: s(a), times the factors
  const float* directional = nullptr;  // W e with the first-order term, otherwise null, as are the next two
  float* along = nullptr;              // out: s'(a) W e
  float* along_gradient = nullptr;     // in: the gradient of the former; out: of W e
  float* gradient = nullptr;           // in: the gradient of the activities; out: of a
};

// Sums over the rows for each unit.
struct ActivationSums {
  double a[kUnitLanes] = {}, squared_a[kUnitLanes] = {};  // pre-activations
  double activities[kUnitLanes] = {};                     // before dropout
  double squared_slopes[kUnitLanes] = {};
  int32_t active[kUnitLanes] = {};    // rows in which s(a) is above ActivationThreshold
  int32_t non_zero[kUnitLanes] = {};  // rows in which the activity is not zero
};

// What each activity, and each pre-activation, of a unit gets besides.
struct UnitTerms {
  float activity[kUnitLanes] = {};  // added to the gradient of s(a)
  float bend[kUnitLanes] = {};      // times s'(a) s''(a), added to that of a
};

struct UnitKernels {
  // Adds the biases, computes activities, slopes and along, and the sums.
  void (*activate)(const UnitArrays& arrays, ActivationSums* sums);
  // Computes gradient and along_gradient, and the sums of the former over the rows.
  void (*differentiate)(const UnitArrays& arrays, const UnitTerms& terms, double* bias);
  // y = sigmoid(y).
  void (*sigmoid)(float* y, int64_t n);
};

// REQUIRES: set is in AvailableInstructionSets().
const UnitKernels& UnitKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::regularised

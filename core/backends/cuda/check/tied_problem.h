// The arrays of a tied dictionary and of its training steps.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/cuda/check/arrays.h"
#include "core/backends/tied_training.h"

namespace kwta::cuda {

// Normal atoms of this deviation; all else as before the first step.
inline TiedParameters AddTiedParameters(Arrays& arrays, int64_t units, int64_t width, double deviation) {
  TiedParameters parameters;
  parameters.units = units;
  parameters.width = width;
  parameters.atoms = arrays.Add(Normals(units * width, 4, deviation));
  parameters.bias = arrays.Add(std::vector<float>(units));
  parameters.decoder_bias = arrays.Add(std::vector<float>(width));
  parameters.atom_velocity = arrays.Add(std::vector<float>(units * width));
  parameters.bias_velocity = arrays.Add(std::vector<float>(units));
  parameters.decoder_velocity = arrays.Add(std::vector<float>(width));
  parameters.shift = arrays.Add(std::vector<float>(units));
  parameters.decay = arrays.Add(std::vector<float>(units, 1.0f));
  return parameters;
}

// A step on x[rows, width] in the backend's memory, without its dictionary.
inline TiedStepArgs AddTiedStep(Arrays& arrays, const float* x, int64_t rows, int64_t units, int64_t k, float rate) {
  TiedStepArgs step;
  step.x = x;
  step.rows = rows;
  step.k = k;
  step.rate = rate;
  step.momentum = 0.9f;
  step.indices = arrays.Add(std::vector<int32_t>(rows * k));
  step.values = arrays.Add(std::vector<float>(rows * k));
  step.active_rows = arrays.Add(std::vector<int32_t>(units));
  step.squared_error = arrays.Add(std::vector<double>(1));
  return step;
}

}  // namespace kwta::cuda

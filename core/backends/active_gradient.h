// Arguments of the backward pass of a layer in which only the active units have a gradient. A method of Backend takes
// them (core/backends/backend.h, which also says where pointers point).
#pragma once

#include <cstdint>

namespace kwta {

// The gradient of any loss with respect to the atoms and biases of z = atoms x + bias, through the activities that the
// code kept. dz is the loss's gradient with respect to those activities; it is zero for all others.
//   gradient_atoms[j] = decay atoms[j] + sum over rows i with j active of dz_ij x_i,   gradient_bias[j] = sum dz_ij
// Rows of gradient_atoms whose unit is in no code are NOT written, whatever the decay; active_rows says which are
// written. x is dense, or the codes of the layer below; then the operation touches only their active entries.
// k-Sparse Autoencoders, sections 4.5 and 4.6: fine-tuning keeps the alpha k largest activities.
struct ActiveGradientArgs {
  const float* x = nullptr;            // [rows, width]; null: the codes below
  const int32_t* x_indices = nullptr;  // [rows, x_k], below width
  const float* x_values = nullptr;     // [rows, x_k]
  int64_t x_k = 0;
  const int32_t* indices = nullptr;  // [rows, k], each unit at most once a row
  const float* dz = nullptr;         // [rows, k]
  int64_t rows = 0, k = 0, units = 0, width = 0;
  const float* atoms = nullptr;  // [units, width]; read only if decay is not 0
  float decay = 0;
  float* gradient_atoms = nullptr;  // out [units, width], see above
  float* gradient_bias = nullptr;   // out [units]
  int32_t* active_rows = nullptr;   // out [units]: number of rows whose code has the unit
};

}  // namespace kwta

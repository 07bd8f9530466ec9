// Arguments of operations that only processors have; the compositions of core/backends/host_backend.h use them. They
// work on host memory at once, so scalars are there when an operation returns.
#pragma once

#include <cstdint>

#include "core/backends/backend.h"

namespace kwta {

// SparseDecode minus the target.
struct SparseResidualArgs : SparseDecodeArgs {
  const float* target = nullptr;  // [rows, width] to subtract, or null
  double* squared_sum = nullptr;  // out: sum of the squares of output; or null
};

// Gradient of E = scale * sum over rows of |r|^2, with r = xhat - x, for tied weights:
//   dz[i,j] = 2 scale <r_i, w_j> for the active units j of row i
//   gradient_atoms[j] = sum over rows with j active of 2 scale z_ij r_i + dz_ij x_i
//   gradient_bias[j] = sum dz_ij,  gradient_decoder_bias = sum 2 scale r_i
// Rows of gradient_atoms whose unit is in no code are NOT written; active_rows says which are written.
// k-Sparse Autoencoders, section 2.2, training step 3, and equations (6), (7).
struct SparseGradientArgs {
  const float* atoms = nullptr;      // [units, width]
  const float* x = nullptr;          // [rows, width], the encoder's input
  const float* residual = nullptr;   // [rows, width]
  const int32_t* indices = nullptr;  // [rows, k]
  const float* values = nullptr;     // [rows, k]
  int64_t rows = 0, k = 0, units = 0, width = 0;
  float scale = 1;
  float* gradient_atoms = nullptr;         // out [units, width], see above
  float* gradient_bias = nullptr;          // out [units]
  float* gradient_decoder_bias = nullptr;  // out [width]
  int32_t* active_rows = nullptr;          // out [units]: number of rows whose code has the unit
};

// WinnerDecode minus the target.
struct WinnerResidualArgs : WinnerDecodeArgs {
  const float* target = nullptr;  // [rows, channels, height, width] to subtract, or null
  double* squared_sum = nullptr;  // out: sum of the squares of output; or null
};

// Gradient of E = scale * sum over rows of |r|^2, r = xhat - x, through the winners only. The formulas are
// WinnerPass's, with scale in place of 1 / rows.
struct WinnerGradientArgs {
  const float* decoder = nullptr;  // [maps, channels, decoder_size, decoder_size]
  int64_t maps = 0, encoder_size = 0, decoder_size = 0;
  ImageBatch images;
  const float* x = nullptr;         // the encoder's input
  const float* residual = nullptr;  // r, as WinnerResidual leaves it
  const int32_t* units = nullptr;   // [rows, entries]; -1 is skipped
  const float* values = nullptr;    // [rows, entries]
  int64_t entries = 0;
  float scale = 1;
  float* gradient_encoder = nullptr;  // out [maps, channels, encoder_size, encoder_size]
  // out, as decoder. Null if the weights are tied (encoder_size == decoder_size): the decoder's gradient is then added
  // to gradient_encoder.
  float* gradient_decoder = nullptr;
  float* gradient_bias = nullptr;          // out [maps]
  float* gradient_decoder_bias = nullptr;  // out [channels]
  int32_t* active_rows = nullptr;          // out [maps]: number of rows in which the map has a winner
};

}  // namespace kwta

// Training of a tied linear dictionary by momentum: the state, and the operation that performs one whole step. Methods
// of Backend (core/backends/backend.h, which also says where pointers point) take these arguments.
//
// A step is one operation so that a backend may skip work that changes nothing the caller sees. Atoms that are in no
// code of a batch have a gradient of zero and only drift along their velocity. A backend may defer that drift: the
// stored numbers w, v, shift and decay stand for an atom w + shift v with the velocity decay v.
#pragma once

#include <cstdint>

namespace kwta {

// The state of training, in the caller's arrays. The atoms start at random values, decay starts at 1, and every other
// number starts at zero.
struct TiedParameters {
  int64_t units = 0, width = 0;
  float* atoms = nullptr;             // [units, width]: w of each atom
  float* bias = nullptr;              // [units]
  float* decoder_bias = nullptr;      // [width]
  float* atom_velocity = nullptr;     // [units, width]: v of each atom
  float* bias_velocity = nullptr;     // [units]
  float* decoder_velocity = nullptr;  // [width]
  float* shift = nullptr;             // [units]
  float* decay = nullptr;             // [units]
  bool unit_norm = false;             // scale every atom to length 1 after each step (atoms of zeros stay)
  // [width], or null: the offset that was subtracted from non-negative rows, such as the mean of images. Every result
  // holds without it, but a backend may be faster if x + offset is mostly zeros.
  const float* offset = nullptr;
};

// The state, and what a backend derives from it (norms, rounded copies). Refers to the caller's arrays, which must
// outlive it. Runs one operation at a time. Between steps the caller may read the arrays, in which any atom may be
// deferred; a caller that changes them calls RefreshTiedDictionary before the next step.
class TiedDictionary {
 public:
  explicit TiedDictionary(const TiedParameters& parameters) : parameters(parameters) {}
  virtual ~TiedDictionary() = default;

  const TiedParameters parameters;
};

// One step on a batch. w' are the atoms that the stored numbers stand for. The step computes
//   the codes of x that AffineTopK returns for the atoms w', bit for bit;
//   r = codes w' + decoder bias - x, squared_error = sum |r|^2;
//   the gradient of E = squared_error / rows for tied weights, dz[i,j] = 2 / rows <r_i, w'_j> for the active units j of
//   row i:  atoms[j]: sum over rows with j active of 2 / rows z_ij r_i + dz_ij x_i,  bias[j]: sum dz_ij,
//   decoder bias: sum 2 / rows r_i;
//   velocity <- momentum * velocity - rate * gradient, parameter <- parameter + velocity for all parameters, as
//   MomentumUpdate does; subnormal velocities become zero.
// If squared_error is not finite, training has diverged: the operation returns OK with it and updates nothing. The
// result has the same bits for the same stored numbers, x and arguments, whatever the number of threads.
// Makhzani & Frey, "k-Sparse Autoencoders", section 2.2, training, step 3, equations (6), (7), and section 4.2.2.
struct TiedStepArgs {
  TiedDictionary* dictionary = nullptr;
  const float* x = nullptr;  // [rows, width], finite
  int64_t rows = 0;          // at least 1
  int64_t k = 0;             // 1 .. units
  float rate = 0, momentum = 0;
  int32_t* indices = nullptr;  // out [rows, k], ascending in a row
  float* values = nullptr;     // out [rows, k]
  // in, out [units]: grows by the number of rows whose codes have the unit, if squared_error is finite.
  int32_t* active_rows = nullptr;
  // in, out [units], or null: rows since the unit was last in a code. If squared_error is finite, it becomes 0 for a
  // unit in this batch's codes and grows by rows for any other.
  int64_t* idle_rows = nullptr;
  double* squared_error = nullptr;  // out
  float* residual = nullptr;        // out [rows, width]: r; or null
};

// A step for the dead units, after the TiedStep on the same batch. w' are the atoms after that step.
//   z of the dead units alone; AffineTopK's rule keeps the k largest (all, if there are fewer);
//   e = codes w' + residual;
//   g = the gradient of weight * sum |e|^2 / rows as in TiedStep, with the residual fixed;
//   velocity <- velocity - rate * g,  parameter <- parameter - rate * g,  for these atoms and their biases.
// A momentum step would add just this if the loss had this term. Atoms keep unit length if unit_norm is set. If no unit
// is dead, squared_error is 0; if it is not finite, nothing is updated. Gao et al., "Scaling and evaluating sparse
// autoencoders", 2024, section A.2.
struct TiedAuxiliaryStepArgs {
  TiedDictionary* dictionary = nullptr;
  const float* x = nullptr;            // [rows, width], TiedStep's x
  const float* residual = nullptr;     // [rows, width], TiedStep's residual
  int64_t rows = 0;                    // at least 1
  const int64_t* idle_rows = nullptr;  // [units], as TiedStep left them
  int64_t dead_after_rows = 1;         // units with at least this many idle rows are dead; at least 1
  int64_t k = 0;                       // at least 1
  float weight = 0, rate = 0;
  double* squared_error = nullptr;  // out: sum |e|^2
};

// The atoms and velocities that the stored numbers of `dictionary` stand for, with the bits that the next step sees.
// Changes nothing.
struct TiedAtomsArgs {
  const TiedDictionary* dictionary = nullptr;
  float* atoms = nullptr;          // out [units, width]
  float* atom_velocity = nullptr;  // out [units, width], or null
};

}  // namespace kwta

// Training of a tied linear dictionary by momentum: the state, and the one operation that is a whole step of it.
// Methods of Backend (core/backends/backend.h, which also says where pointers point) take these arguments.
//
// A step is one operation so that a backend may leave out what changes nothing that is looked at. Atoms that are in no
// code of a batch have a gradient of zero and only drift along their velocity, which a backend may put off: the atom
// that stored numbers w, v, shift and decay stand for is w + shift v, and its velocity is decay v.
#pragma once

#include <cstdint>

namespace kwta {

// The state of training, in the caller's arrays. Every number starts at zero but for the atoms, which are drawn, and
// decay, which is 1.
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
  // [width], or null: what was subtracted from rows that were not negative, such as the mean of images. Every result
  // holds without it, but a backend may be quicker if x + offset is mostly zeros.
  const float* offset = nullptr;
};

// The state, and what a backend derives from it (norms, rounded copies). Looks at the caller's arrays, which must
// outlive it. One operation at a time. Between steps the caller may read the arrays, in which any atoms may be put off;
// if it changes them it calls RefreshTiedDictionary before the next step.
class TiedDictionary {
 public:
  explicit TiedDictionary(const TiedParameters& parameters) : parameters(parameters) {}
  virtual ~TiedDictionary() = default;

  const TiedParameters parameters;
};

// One step on a batch. With w' the atoms that the stored numbers stand for:
//   the codes of x as AffineTopK gives them, bit for bit, of the atoms w';
//   r = codes w' + decoder bias - x, squared_error = sum |r|^2;
//   the gradient of E = squared_error / rows for tied weights, dz[i,j] = 2 / rows <r_i, w'_j> for the active units j of
//   row i:  atoms[j]: sum over rows with j active of 2 / rows z_ij r_i + dz_ij x_i,  bias[j]: sum dz_ij,
//   decoder bias: sum 2 / rows r_i;
//   velocity <- momentum * velocity - rate * gradient, parameter <- parameter + velocity for all parameters, as
//   MomentumUpdate does it, subnormal velocities becoming zero.
// If squared_error is not finite, training has diverged: the operation returns OK with it and updates nothing.
// The result is the same bits for the same stored numbers, x and arguments, whatever the number of threads.
// Makhzani & Frey, "k-Sparse Autoencoders", section 2.2, training, step 3, equations (6), (7), and section 4.2.2.
struct TiedStepArgs {
  TiedDictionary* dictionary = nullptr;
  const float* x = nullptr;  // [rows, width], finite
  int64_t rows = 0;          // at least 1
  int64_t k = 0;             // 1 .. units
  float rate = 0, momentum = 0;
  int32_t* indices = nullptr;  // out [rows, k], ascending in a row
  float* values = nullptr;     // out [rows, k]
  // in, out [units]: grows by the number of the rows whose codes have the unit, if squared_error is finite.
  int32_t* active_rows = nullptr;
  // in, out [units], or null: rows since the unit was in a code. 0 for a unit of this batch's codes, else it grows by
  // rows, if squared_error is finite.
  int64_t* idle_rows = nullptr;
  double* squared_error = nullptr;  // out
  float* residual = nullptr;        // out [rows, width]: r; or null
};

// A step for the units that are dead, after the TiedStep on the same batch and with the atoms w' as that has left them:
//   z of the dead units alone, the k largest of which are kept as AffineTopK does it (all, if there are fewer);
//   e = codes w' + residual;
//   g = the gradient of weight * sum |e|^2 / rows as in TiedStep, the residual being given;
//   velocity <- velocity - rate * g,  parameter <- parameter - rate * g,  for these atoms and their biases:
// what a step of momentum adds to theirs if the loss has this term. Atoms stay at unit length if they are to.
// If no unit is dead squared_error is 0; if it is not finite nothing is updated. Gao et al., "Scaling and evaluating
// sparse autoencoders", 2024, section A.2.
struct TiedAuxiliaryStepArgs {
  TiedDictionary* dictionary = nullptr;
  const float* x = nullptr;            // [rows, width], as TiedStep had them
  const float* residual = nullptr;     // [rows, width], as TiedStep gave it
  int64_t rows = 0;                    // at least 1
  const int64_t* idle_rows = nullptr;  // [units], as TiedStep left them
  int64_t dead_after_rows = 1;         // units with so many idle rows, or more, are dead; at least 1
  int64_t k = 0;                       // at least 1
  float weight = 0, rate = 0;
  double* squared_error = nullptr;  // out: sum |e|^2
};

// The atoms and velocities that the stored numbers of `dictionary` stand for, the same bits as the next step sees.
// Changes nothing.
struct TiedAtomsArgs {
  const TiedDictionary* dictionary = nullptr;
  float* atoms = nullptr;          // out [units, width]
  float* atom_velocity = nullptr;  // out [units, width], or null
};

}  // namespace kwta

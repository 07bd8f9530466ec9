// Arguments of the operations that regularised autoencoders are written in. Methods of Backend take them
// (core/backends/backend.h, which also says where pointers point).
//   a = W x + b,  h = s(a),  y = W'h + b',  l = |y - x|^2.
// Arpit, Zhou, Ngo & Govindaraju, "Why Regularized Auto-Encoders Learn Sparse Representation?", 2016.
#pragma once

#include <cstdint>

#include "core/backends/activation.h"
#include "core/backends/corruption.h"

namespace kwta {

// output = s(atoms x + bias). A pre-activation is the sum in FixedOrderDot's order (core/simd/fixed_order_dot.h) plus
// the bias, so a row's activities have the same bits in any batch and on any number of threads. Pre-activations and
// ReLU's activities have the same bits on every backend; exp and log1p of a device may have other last bits than the
// host's.
struct AffineActivationArgs {
  const float* atoms = nullptr;  // [units, width]: W
  const float* bias = nullptr;   // [units]
  int64_t units = 0, width = 0;
  const float* x = nullptr;  // [rows, width], finite
  int64_t rows = 0;          // may be 0
  Activation activation = Activation::kReLU;
  bool pre_activations = false;  // output = atoms x + bias: the caller applies s
  float* output = nullptr;       // out [rows, units]
};

// The penalty weight * sum over units of f(rho_j). rho_j is a running mean of the batches' means of h_j:
//   rho_j <- mean_decay rho_j + (1 - mean_decay) mean of h_j,
// or that mean itself in the first batch. target 0: f(rho) = -log(1 - rho), equation (13). Otherwise f is the
// Kullback-Leibler divergence of equation (12). Beyond `limit`, and below target / 1000, f goes on along its tangent:
// it is defined for any activity. The gradient takes d rho_j / d h_ij as 1 / rows, whatever mean_decay.
struct SparsityPenalty {
  float weight = 0;  // 0: none
  float target = 0;  // 0 .. 1, 1 excluded
  float limit = 0;   // above target, below 1
  float mean_decay = 0;
  float* running_mean = nullptr;  // in, out [units]; below 0: no batch yet
};

// One training pass over a batch: the gradient of
//   E = 1 / rows sum over the rows of ( |r|^2
//         + 2 <r, p>                                               if first_order: eDAE, section 3.1.1
//         + sum_j (h'_j)^2 (contraction |W_j|^2                    CAE, equation (9)
//                           + marginal |W_j|^4) )                  mDAE, equation (11)
//       + sparsity                                                 SAE, equations (12) and (13)
//       + weight_decay / 2 sum_j |W_j|^2
// with r = y - x. Without first_order, y is the output for the corrupted row: DAE, equation (6). With it, y is that for
// x, and p = W'(h' * (W e)) is the change of y to first order along e = corrupted row - x; 2 <r, p> is the inner
// product of e and the gradient of l. With dropout, h is the activities times the factors that DrawDropout draws. With
// sigmoid_output, y = sigmoid(W'h + b'), and E has the cross-entropy -x log y - (1 - x) log(1 - y) in place of |r|^2;
// squared_error stays what it is. Neither goes with first_order, contraction, marginal or sparsity. Every gradient is
// written. Their sums do not depend on the number of threads. If
// squared_error is not finite, training has diverged and the gradients mean nothing.
struct RegularisedPassArgs {
  const float* atoms = nullptr;         // [units, width]: W
  const float* bias = nullptr;          // [units]: b
  const float* decoder_bias = nullptr;  // [width]: b'
  int64_t units = 0, width = 0;
  const float* x = nullptr;  // [rows, width], finite
  int64_t rows = 0;          // at least 1
  // [width], or null: what was subtracted from rows, such as the mean of images. Changes only rounding, but a backend
  // may be faster if x + offset is mostly zeros.
  const float* offset = nullptr;
  Activation activation = Activation::kReLU;
  Corruption corruption;
  Dropout dropout;
  bool sigmoid_output = false;
  bool first_order = false;
  float contraction = 0, marginal = 0, weight_decay = 0;
  // The atoms keep their lengths: gradient_atoms leaves out how contraction and marginal change with |W_j|. Updates
  // would scale that away, but their velocity would keep it while the atoms turn.
  bool fixed_lengths = false;
  SparsityPenalty sparsity;

  float* gradient_atoms = nullptr;         // out [units, width]
  float* gradient_bias = nullptr;          // out [units]
  float* gradient_decoder_bias = nullptr;  // out [width]
  // in, out [units]: grows by the number of rows in which the unit is active (ActivationThreshold), dropped or not.
  int32_t* active_rows = nullptr;
  // in, out [3, units]: grow by the sums over the rows of a_j, of a_j^2, and of 1 where the unit is active.
  double* activity_sums = nullptr;
  double* squared_error = nullptr;  // out: sum |r|^2
  double* penalty = nullptr;        // out: E without its first term and without weight_decay
};

}  // namespace kwta

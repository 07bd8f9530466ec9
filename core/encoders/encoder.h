// A trained encoder, and one that is being trained.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "core/preprocessing/preprocessor.h"
#include "core/tensors/codes.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// How many activities an encoding keeps. At most one is set (positive); with neither the encoder's own default holds.
struct EncodeOptions {
  double alpha = 0;
  int64_t k = 0;
};

// An encoder with its parameters and preprocessing. Immutable; every method is thread-safe.
class Encoder {
 public:
  virtual ~Encoder() = default;

  // Width of an input row, and of a dense code.
  virtual int64_t input_width() const = 0;
  virtual int64_t code_width() const = 0;
  // Width of a preprocessed row, which is what Decode gives.
  virtual int64_t reconstruction_width() const { return input_width(); }
  // Bytes of its parameters.
  virtual int64_t parameter_bytes() const = 0;

  // The form of codes. True: they are dense by nature, every activity being a part of them; k is then code_width()
  // always. Else they have k entries a row.
  virtual bool dense_codes() const { return false; }

  // The number of activities that `options` asks for. Errors: INVALID_ARGUMENT with the range; with dense codes, if the
  // options ask for anything.
  virtual absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const = 0;

  // Codes of x[rows, input_width] (u8, f16, bf16 or f32), in the form that they have. A row's code does not depend on
  // the batch. Memory that `codes` has is used again. REQUIRES: x is finite and of the right width, k comes from
  // ResolveK.
  virtual absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const = 0;
  // The same codes as out[rows, code_width], zeros included.
  virtual absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const;
  // The same codes, sparse: of dense ones the entries that are not zero, as many as each row has.
  absl::Status EncodeSparse(const RowsView& x, int64_t k, SparseCodes* codes) const;

  // Reconstructions of x, out[rows, reconstruction_width], in units of the preprocessed input, the mean added back:
  // what the decoder makes of codes of k activities, or if codes are dense, of the activities that training keeps.
  virtual absl::Status Reconstruct(const RowsView& x, int64_t k, float* out) const;
  // Reconstructions, out[codes.rows(), reconstruction_width], of codes that this encoder made. Errors: UNIMPLEMENTED if
  // codes do not hold what the decoder needs. REQUIRES: every row has equally many entries.
  virtual absl::Status Decode(const SparseCodes& codes, float* out) const = 0;
};

// What updates did.
struct StepStatistics {
  // Of each, in order: sum over its rows of |x - xhat|^2, before it. Not finite: training has diverged, and neither the
  // parameters nor the numbers that follow mean anything.
  std::vector<double> squared_errors;
  std::vector<int64_t> active_rows;  // [units]: in how many of all their rows the unit was active
};

// Hyperparameters of one update, set by the trainer's schedules.
struct StepOptions {
  int64_t k = 0;
  float learning_rate = 0;
  float momentum = 0;
};

// An encoder that is being trained. Not thread-safe.
class Learner {
 public:
  virtual ~Learner() = default;

  // What active_rows counts: units, or maps.
  virtual int64_t units() const = 0;
  // Width of the finished encoder's dense code.
  virtual int64_t code_width() const { return units(); }
  // Activities kept a row after `fraction` (0 .. 1) of the epochs.
  virtual int64_t ScheduledK(double fraction) const = 0;
  // One update on x[rows, width], host memory, preprocessed and with the mean subtracted; x may be changed afterwards.
  // Need not wait for the backend: errors are of this or an earlier update.
  virtual absl::Status Step(const float* x, int64_t rows, const StepOptions& options) = 0;
  // Waits for the updates since the last call, and says what they did.
  virtual absl::StatusOr<StepStatistics> TakeStatistics() = 0;

  // Parameters as the bundle stores them.
  virtual absl::StatusOr<TensorMap> Parameters() const = 0;
  // Parameters and the optimiser's state; Restore(Checkpoint()) goes on exactly where it was.
  virtual absl::StatusOr<TensorMap> Checkpoint() const = 0;
  // Statistics of updates before are dropped. Errors: DATA_LOSS if a tensor is missing or of the wrong shape.
  virtual absl::Status Restore(const TensorMap& state) = 0;
};

}  // namespace kwta

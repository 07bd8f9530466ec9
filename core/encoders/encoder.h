// Encoders, and learners, which train them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

// How many activities an encoding keeps. Set at most one (positive). If neither is set, the encoder's own default
// applies.
struct EncodeOptions {
  double alpha = 0;
  int64_t k = 0;
};

// Rows as training saw them, and their reconstructions, in the same units.
struct TrainedRows {
  int64_t width = 0;
  std::vector<float> x, reconstructions;  // [rows, width], the mean not subtracted
};

// Where an encoder computes.
struct Placement {
  std::string device;  // a device, for people; empty: the processor
  std::string reason;  // why there; empty if there is no choice
};

// A trained encoder: parameters and preprocessing. Immutable; every method is thread-safe.
class Encoder {
 public:
  virtual ~Encoder() = default;

  // The widths of an input row and of a dense code.
  virtual int64_t input_width() const = 0;
  virtual int64_t code_width() const = 0;
  // The width of a preprocessed row, which Decode returns.
  virtual int64_t reconstruction_width() const { return input_width(); }
  // The bytes of its parameters.
  virtual int64_t parameter_bytes() const = 0;

  // The form of codes. True: codes are dense, every activity belongs to them, and k is always code_width(). False:
  // codes are sparse.
  virtual bool dense_codes() const { return false; }
  // True: sparse codes have k entries in each row, and callers may choose k. False: a row has as many entries as it has
  // activities, and k is always code_width(), which bounds them.
  virtual bool takes_k() const { return !dense_codes(); }

  // Returns the number of activities for `options`. Errors: INVALID_ARGUMENT with the range; with dense codes, if any
  // option is set although the encoder takes no k.
  virtual absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const = 0;

  // How this machine finds codes, where, and a number that changes whenever either does; see Dictionary.
  virtual EncodingPath path() const { return {}; }
  virtual Placement placement() const { return {}; }
  virtual uint64_t path_changes() const { return 0; }

  // Encodes x[rows, input_width] (u8, f16, bf16 or f32) into the encoder's own form of codes. A row's code does not
  // depend on the batch. Reuses the memory of `codes`. REQUIRES: x is finite and of the right width, k comes from
  // ResolveK.
  virtual absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const = 0;
  // Writes the same codes to out[rows, code_width], zeros included.
  virtual absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const;
  // Returns the same codes in sparse form. Rows of dense codes keep all their nonzero entries.
  absl::Status EncodeSparse(const RowsView& x, int64_t k, SparseCodes* codes) const;

  // Writes reconstructions of x to out[rows, reconstruction_width], in units of the preprocessed input with the mean
  // added back: DecodeActivities of Activities. Goes through the rows in parts, so that activities take 16 MiB at a
  // time or, if those are more, a row's.
  absl::Status Reconstruct(const RowsView& x, int64_t k, float* out) const;
  // The activities that a reconstruction is made of: codes of k activities or, if codes are dense, the activities that
  // training keeps. Only an encoder of the same model reads them. REQUIRES: as Encode.
  virtual absl::Status Activities(const RowsView& x, int64_t k, SparseCodes* activities) const;
  // At most how many entries Activities returns for a row of x.
  virtual int64_t row_activities(int64_t k) const { return k; }
  // Reconstructs what Activities returned, to out[rows, reconstruction_width].
  virtual absl::Status DecodeActivities(const SparseCodes& activities, float* out) const;
  // Reconstructs x as training did when it measured its statistics: a stack reconstructs the input of its top layer.
  // Errors: UNIMPLEMENTED if the encoder cannot tell; INVALID_ARGUMENT if a row overflows while it is preprocessed.
  virtual absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const;
  // Reconstructs codes that this encoder made: out[codes.rows(), reconstruction_width]. Errors: UNIMPLEMENTED if codes
  // do not hold what the decoder needs. REQUIRES: if the encoder takes k, every row has the same number of entries.
  virtual absl::Status Decode(const SparseCodes& codes, float* out) const = 0;
};

// The results of updates.
struct StepStatistics {
  // One per update, in order: the sum over its rows of |x - xhat|^2, before the update. A value that is not finite
  // means that training has diverged; parameters and later numbers are then meaningless.
  std::vector<double> squared_errors;
  std::vector<int64_t> active_rows;  // [units]: in how many of all rows the unit was active
  // Length of the gradient, with respect to all parameters, of the last update that measured it.
  std::optional<double> gradient_norm;
};

// Hyperparameters of one update, set by the trainer's schedules.
struct StepOptions {
  int64_t k = 0;
  float learning_rate = 0;
  float momentum = 0;
  // Measure the length of the gradient. Changes no bit of the result, but waits for the backend and copies the
  // optimiser's state, which takes about as long as a checkpoint: for a step now and then. REQUIRES: learning_rate > 0.
  bool measure_gradient = false;
};

// Trains an encoder. Not thread-safe.
class Learner {
 public:
  virtual ~Learner() = default;

  // The length of active_rows: units, or maps.
  virtual int64_t units() const = 0;
  // The width of the finished encoder's dense code.
  virtual int64_t code_width() const { return units(); }
  // Returns how many activities per row to keep after `fraction` (0 .. 1) of the epochs.
  virtual int64_t ScheduledK(double fraction) const = 0;
  // Updates once on x[rows, width] in host memory, preprocessed and with the mean subtracted. The caller may change x
  // afterwards. May return before the backend finishes, so an error may stem from an earlier update.
  virtual absl::Status Step(const float* x, int64_t rows, const StepOptions& options) = 0;
  // Waits for all updates since the last call and returns their statistics.
  virtual absl::StatusOr<StepStatistics> TakeStatistics() = 0;

  // Fills in what this kind measures besides. May wait for the backend.
  virtual absl::Status Describe(v1::TrainingStatistics* /*statistics*/) const { return absl::OkStatus(); }

  // Returns the parameters as the bundle stores them.
  virtual absl::StatusOr<TensorMap> Parameters() const = 0;
  // Returns the parameters and the optimiser's state. Restore(Checkpoint()) continues exactly from there.
  virtual absl::StatusOr<TensorMap> Checkpoint() const = 0;
  // Drops the statistics of earlier updates. Errors: DATA_LOSS if a tensor is missing or of the wrong shape.
  virtual absl::Status Restore(const TensorMap& state) = 0;
};

}  // namespace kwta

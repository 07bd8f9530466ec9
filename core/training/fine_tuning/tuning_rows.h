// The batches that fine-tuning learns from: preprocessed rows, changed at random if the spec says so.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/rng.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {

// Dropout of elements of the preprocessed rows.
struct InputDropout {
  double probability = 0;
  bool scales = false;  // elements that stay are divided by 1 - probability
};

// Not thread-safe.
class TuningRows {
 public:
  // Rows of `data` with the preprocessing of `model`, minus the mean. max_shift is FineTuningSpec's.
  // Errors: INVALID_ARGUMENT (rows to shift that are not images, or are smaller than the shift), DATA_LOSS
  // (preprocessing that does not load). REQUIRES: the data outlive it and have the model's width.
  static absl::StatusOr<TuningRows> Create(const ModelBundle& model, const Dataset& data, const InputDropout& dropout,
                                           int max_shift);

  // The width of a preprocessed row.
  int64_t width() const { return ElementCount(preprocessor_.output_shape()); }
  // Writes rows which[0 .. count - 1] to out[count, width()]. Errors: those of Preprocessor::Apply.
  absl::Status Read(const uint32_t* which, int64_t count, Rng& rng, float* out);

 private:
  TuningRows(const Dataset& data, Preprocessor preprocessor, const InputDropout& dropout, int max_shift)
      : data_(&data), preprocessor_(std::move(preprocessor)), dropout_(dropout), max_shift_(max_shift) {}
  // Moves every plane of an image by (down, right) and fills with 0.
  void Shift(int64_t down, int64_t right, float* row);

  const Dataset* data_;
  Preprocessor preprocessor_;
  InputDropout dropout_;
  int64_t max_shift_;
  std::vector<char> stored_;           // stored rows
  std::vector<float> floats_, moved_;  // rows before preprocessing, and a shifted row
};

}  // namespace kwta

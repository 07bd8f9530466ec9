// What a classifier reads: feature vectors, row by row, as their non-zero entries.
#pragma once

#include <cstdint>
#include <vector>

#include "core/preprocessing/preprocessor.h"
#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Entries of one row; owned by the FeatureRows, or by the scratch memory passed to Row.
struct FeatureRow {
  const int32_t* indices;
  const float* values;
  int64_t entries;
};

// Scratch memory of one reader.
struct FeatureScratch {
  std::vector<float> dense;
  std::vector<int32_t> indices;
  std::vector<float> values;
};

// Immutable; thread-safe if each thread has scratch memory of its own.
class FeatureRows {
 public:
  virtual ~FeatureRows() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t width() const = 0;
  // Entries of row i; valid until the next call with the same scratch. REQUIRES: 0 <= i < rows().
  virtual FeatureRow Row(int64_t i, FeatureScratch* scratch) const = 0;
};

// Codes as features. `codes` must outlive it.
class CodeFeatures : public FeatureRows {
 public:
  explicit CodeFeatures(const SparseCodes& codes) : codes_(codes) {}
  int64_t rows() const override { return codes_.rows(); }
  int64_t width() const override { return codes_.units; }
  FeatureRow Row(int64_t i, FeatureScratch* scratch) const override;

 private:
  const SparseCodes& codes_;
};

// Dense rows, such as raw pixels, as `preprocessor` converts them. Zeros are skipped, which changes no result and is
// faster where there are many. What the arguments look at must outlive it.
class DenseFeatures : public FeatureRows {
 public:
  DenseFeatures(const RowsView& dense, const Preprocessor& preprocessor) : dense_(dense), preprocessor_(preprocessor) {}
  int64_t rows() const override { return dense_.rows; }
  int64_t width() const override { return dense_.width; }
  FeatureRow Row(int64_t i, FeatureScratch* scratch) const override;

 private:
  const RowsView dense_;
  const Preprocessor& preprocessor_;
};

}  // namespace kwta

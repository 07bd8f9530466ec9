// The input of a classifier: feature vectors, row by row.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"

namespace kwta {

// The non-zero entries of one row. The FeatureRows owns them, or the scratch memory passed to Row.
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

// Immutable. Thread-safe if each thread has its own scratch memory.
class FeatureRows {
 public:
  virtual ~FeatureRows() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t width() const = 0;
  // True if most elements are worth multiplying: readers then take blocks of rows instead of entries.
  virtual bool dense() const = 0;
  // Entries of row i; valid until the next call with the same scratch. REQUIRES: 0 <= i < rows().
  virtual FeatureRow Row(int64_t i, FeatureScratch* scratch) const = 0;
  // Copies elements begin .. begin + count - 1 of row i, zeros included, to out. REQUIRES: they exist.
  virtual void CopyRow(int64_t i, int64_t begin, int64_t count, float* out) const = 0;
};

// Codes as features. `codes` must outlive it.
class CodeFeatures : public FeatureRows {
 public:
  explicit CodeFeatures(const SparseCodes& codes) : codes_(codes) {}
  int64_t rows() const override { return codes_.rows(); }
  int64_t width() const override { return codes_.units; }
  bool dense() const override { return false; }
  FeatureRow Row(int64_t i, FeatureScratch* scratch) const override;
  void CopyRow(int64_t i, int64_t begin, int64_t count, float* out) const override;

 private:
  const SparseCodes& codes_;
};

// Dense rows of u8 (the numbers 0 .. 255), f16, bf16 or f32, such as raw pixels and pooled maps. Their memory must
// outlive it.
class DenseFeatures : public FeatureRows {
 public:
  explicit DenseFeatures(const RowsView& rows) : rows_(rows) {}
  int64_t rows() const override { return rows_.rows; }
  int64_t width() const override { return rows_.width; }
  bool dense() const override { return true; }
  FeatureRow Row(int64_t i, FeatureScratch* scratch) const override;
  void CopyRow(int64_t i, int64_t begin, int64_t count, float* out) const override;

 private:
  const RowsView rows_;
};

}  // namespace kwta

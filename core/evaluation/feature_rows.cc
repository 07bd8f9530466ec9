#include "core/evaluation/feature_rows.h"

#include <algorithm>
#include <cstring>

namespace kwta {

FeatureRow CodeFeatures::Row(int64_t i, FeatureScratch* /*scratch*/) const {
  const int64_t begin = codes_.row_offsets[i];
  return {codes_.indices.data() + begin, codes_.values.data() + begin, codes_.row_offsets[i + 1] - begin};
}

void CodeFeatures::CopyRow(int64_t i, int64_t begin, int64_t count, float* out) const {
  std::fill_n(out, count, 0.0f);
  const auto first = codes_.indices.begin() + codes_.row_offsets[i];
  const auto last = codes_.indices.begin() + codes_.row_offsets[i + 1];
  for (auto index = std::lower_bound(first, last, begin); index != last && *index < begin + count; ++index) {
    out[*index - begin] = codes_.values[index - codes_.indices.begin()];
  }
}

FeatureRow DenseFeatures::Row(int64_t i, FeatureScratch* scratch) const {
  scratch->dense.resize(rows_.width);
  scratch->indices.resize(rows_.width);
  scratch->values.resize(rows_.width);
  CopyRow(i, 0, rows_.width, scratch->dense.data());
  int64_t entries = 0;
  for (int64_t d = 0; d < rows_.width; ++d) {
    scratch->indices[entries] = static_cast<int32_t>(d);
    scratch->values[entries] = scratch->dense[d];
    entries += scratch->dense[d] != 0;
  }
  return {scratch->indices.data(), scratch->values.data(), entries};
}

void DenseFeatures::CopyRow(int64_t i, int64_t begin, int64_t count, float* out) const {
  const void* row = rows_.row(i);
  switch (rows_.dtype) {
    case DType::kU8: {
      const uint8_t* bytes = static_cast<const uint8_t*>(row) + begin;
      for (int64_t d = 0; d < count; ++d) out[d] = bytes[d];
      return;
    }
    case DType::kF16: {
      const uint16_t* halves = static_cast<const uint16_t*>(row) + begin;
      for (int64_t d = 0; d < count; ++d) out[d] = F16ToFloat(halves[d]);
      return;
    }
    case DType::kBF16: {
      const uint16_t* halves = static_cast<const uint16_t*>(row) + begin;
      for (int64_t d = 0; d < count; ++d) out[d] = BF16ToFloat(halves[d]);
      return;
    }
    default:
      std::memcpy(out, static_cast<const float*>(row) + begin, static_cast<size_t>(count) * sizeof(float));
  }
}

}  // namespace kwta

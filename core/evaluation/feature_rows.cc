#include "core/evaluation/feature_rows.h"

namespace kwta {

FeatureRow CodeFeatures::Row(int64_t i, FeatureScratch* /*scratch*/) const {
  const int64_t begin = codes_.row_offsets[i];
  return {codes_.indices.data() + begin, codes_.values.data() + begin, codes_.row_offsets[i + 1] - begin};
}

FeatureRow DenseFeatures::Row(int64_t i, FeatureScratch* scratch) const {
  scratch->dense.resize(dense_.width);
  scratch->indices.resize(dense_.width);
  scratch->values.resize(dense_.width);
  preprocessor_.ToFloat(dense_.Slice(i, 1), scratch->dense.data());
  int64_t entries = 0;
  for (int64_t d = 0; d < dense_.width; ++d) {
    scratch->indices[entries] = static_cast<int32_t>(d);
    scratch->values[entries] = scratch->dense[d];
    entries += scratch->dense[d] != 0;
  }
  return {scratch->indices.data(), scratch->values.data(), entries};
}

}  // namespace kwta

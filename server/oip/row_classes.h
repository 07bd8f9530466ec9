// Classifies encoded rows with the classifier from their model's fine-tuning.
#pragma once

#include <cstdint>
#include <string>

#include "core/evaluation/feature_rows.h"
#include "core/evaluation/stored_classifier.h"

namespace kwta::server {

// The best `count` classes of each row, or all if there are fewer: the best first, the lowest of equal ones first.
struct RowClasses {
  int64_t rows = 0;
  int64_t classes = 0;  // per row
  // rows x classes elements "score:class" in the Open Inference Protocol's encoding of BYTES: a 4-byte little-endian
  // length before each.
  std::string elements;
};
// REQUIRES: codes has the width that the classifier was made for; count > 0.
RowClasses ClassifyRows(const StoredClassifier& classifier, const FeatureRows& codes, int64_t count);

}  // namespace kwta::server

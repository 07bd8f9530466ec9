// The classes of encoded rows, by the classifier that their model was fine-tuned with.
#pragma once

#include <cstdint>
#include <string>

#include "core/evaluation/feature_rows.h"
#include "core/evaluation/stored_classifier.h"

namespace kwta::server {

// The best `count` classes of each row, at most all: the best first, the lowest of equal ones first.
struct RowClasses {
  int64_t rows = 0;
  int64_t classes = 0;  // a row
  // "score:class", as the Open Inference Protocol has elements of BYTES: each after its length in 4 bytes,
  // little-endian; rows x classes of them.
  std::string elements;
};
// REQUIRES: codes of the width that the classifier was made for; count > 0.
RowClasses ClassifyRows(const StoredClassifier& classifier, const FeatureRows& codes, int64_t count);

}  // namespace kwta::server

// What the names, lengths and first bytes of its files say about a data set. It reads no rows, so it is quick.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"
#include "core/tensors/tensor.h"

namespace kwta {

// One part of a data set, before any row is chosen or held out.
struct DatasetSummary {
  int64_t rows = 0;
  Shape row_shape;           // empty for folders of pictures, of which only the pictures tell
  std::string element_type;  // as stored: the name of a DType, or NumPy's if reading converts the elements
  bool labelled = false;
  int32_t classes = 0;             // 0: no labels, or only they themselves tell
  std::vector<std::string> notes;  // what reading leaves out, one sentence each
};

// Summarises the part that `ref` names. Errors: those of LoadDataset as far as the beginnings of files show them.
absl::StatusOr<DatasetSummary> SummariseDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

}  // namespace kwta

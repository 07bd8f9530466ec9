// Data sets that are known by name: what their rows are like and which files hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace kwta {

struct NamedDataset {
  absl::string_view name;
  absl::Span<const int64_t> row_shape;
  int32_t classes;               // Labels are 0 .. classes - 1.
  absl::string_view how_to_get;  // Advice when it is not found.
};

// Every named data set.
absl::Span<const NamedDataset> AllNamedDatasets();

// Errors: NOT_FOUND naming those there are.
absl::StatusOr<NamedDataset> FindNamedDataset(absl::string_view name);

// The idx files of one part of a data set.
struct DatasetFiles {
  std::string images;
  std::string labels;
};

// Looks for the training or the test part in DIR/NAME for each of `directories` and then the system's folder.
// Errors: NOT_FOUND saying where it looked and how to get the data set.
absl::StatusOr<DatasetFiles> LocateNamedDataset(const NamedDataset& dataset, bool test,
                                                const std::vector<std::string>& directories);

}  // namespace kwta

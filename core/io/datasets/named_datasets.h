// The data sets known by name: the form of their rows, and the files that hold them.
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
  absl::string_view how_to_get;  // Advice if it is not found.
};

// Every named data set.
absl::Span<const NamedDataset> AllNamedDatasets();

// Errors: NOT_FOUND listing the names.
absl::StatusOr<NamedDataset> FindNamedDataset(absl::string_view name);

// The location of one part of a data set: two idx files, or a folder of the data set's own files.
struct DatasetFiles {
  std::string images;
  std::string labels;
  std::string root;    // the directory in whose folder NAME it lies
  std::string folder;  // relative to root; empty if the part is in idx files
};

// Searches DIR/NAME for each of `directories`, then the system's folder, for the training or the test part. CIFAR-10
// and small NORB may lie there as published, CIFAR-10 also in the folder that its archive makes. Errors: NOT_FOUND
// naming the places it searched and how to get the data set.
absl::StatusOr<DatasetFiles> LocateNamedDataset(const NamedDataset& dataset, bool test,
                                                const std::vector<std::string>& directories);

}  // namespace kwta

// References to data sets, and files that they name.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "core/io/datasets/dataset.h"
#include "tests/core/io/io_test_util.h"

namespace kwta {

// The data sets among the tests' files.
inline const DatasetOptions& TestData() {
  static const DatasetOptions* options = new DatasetOptions{{KWTA_TEST_DATA "/datasets"}};
  return *options;
}

inline v1::DatasetRef Named(const std::string& name) {
  v1::DatasetRef ref;
  ref.set_name(name);
  return ref;
}

inline v1::DatasetRef Path(const std::string& path) {
  v1::DatasetRef ref;
  ref.set_path(path);
  return ref;
}

// A compressed IDX file of images.
inline std::string Images(int rows, int height, int width) {
  return Gzip(absl::StrCat(BigEndian(0x803, 4), BigEndian(rows, 4), BigEndian(height, 4), BigEndian(width, 4),
                           std::string(rows * height * width, 'x')));
}

}  // namespace kwta

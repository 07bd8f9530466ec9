// Data sets in folders: CIFAR-10's binary batches, small NORB's files, or one folder of images per class.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/files/files.h"
#include "core/io/datasets/dataset_summary.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Returns whether the folder `path` holds files of CIFAR-10 or of small NORB. False if it cannot be read.
bool HoldsPublishedFiles(const std::string& path);

// Reads the training or the test part of the folder `folder`, relative to `root`. Everything that it reads stays below
// root unless links may be followed. It reads, by what the folder holds:
//   data_batch_1.bin .. data_batch_5.bin and test_batch.bin: CIFAR-10;
//   names that end in -dat.mat or -dat.mat.gz: small NORB; it picks the one with "training" or "testing" in its name
//   if there are several;
//   else folders of images, one per class (core/io/images/class_folders.h): label i is the i-th class by name, and its
//   images follow by name. A note says what was left out. All images have the same extents and channels.
// Errors: INVALID_ARGUMENT (no data set, mixed extents, a symbolic link that leads out of root, no test part),
// DATA_LOSS (damaged files), NOT_FOUND; also see core/files/files.h.
absl::StatusOr<StoredRows> ReadDatasetFolder(const std::string& root, const std::string& folder, bool test,
                                             Links links = Links::kStayBelow);

// Says what ReadDatasetFolder would read. Looks at the names and lengths of files and at the header of one. Errors: as
// ReadDatasetFolder.
absl::StatusOr<DatasetSummary> SummariseFolder(const std::string& root, const std::string& folder, bool test,
                                               Links links);

}  // namespace kwta

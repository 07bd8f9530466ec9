// Data sets that are folders: the binary batches of CIFAR-10, the files of small NORB, or images in a folder a class.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/files/files.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Whether the folder `path` holds files of CIFAR-10 or of small NORB. False if it cannot be read.
bool HoldsPublishedFiles(const std::string& path);

// The training or the test part of the folder `folder`, relative to `root`, below which everything stays that is read
// unless links may be followed:
//   data_batch_1.bin .. data_batch_5.bin and test_batch.bin: CIFAR-10;
//   names that end in -dat.mat or -dat.mat.gz: small NORB; of several, the one with "training" or "testing" in its
//   name; else folders of images, one a class, as core/io/images/class_folders.h says: label i is the i-th class by
//   name, images follow by name within it, and a note says what was left out. All images have the same extents and
//   channels.
// Errors: INVALID_ARGUMENT (no data set, mixed extents, a symbolic link that leads out of root, no test part),
// DATA_LOSS (damaged files), NOT_FOUND; as core/files/files.h says.
absl::StatusOr<StoredRows> ReadDatasetFolder(const std::string& root, const std::string& folder, bool test,
                                             Links links = Links::kStayBelow);

// How many rows that is, if the lengths of files tell (CIFAR-10, unless damaged). Errors: as ReadDatasetFolder.
absl::StatusOr<std::optional<int64_t>> CountRowsOfFolder(const std::string& root, const std::string& folder, bool test,
                                                         Links links);

}  // namespace kwta

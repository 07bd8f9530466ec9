// Small NORB's files (LeCun, Huang & Bottou, 2004): matrices with little-endian headers, plain or gzip-compressed. The
// name of the images, u8 [rows, views, height, width], ends in -dat.mat. Beside them lie the labels, -cat.mat, i32
// [rows], and perhaps more about each row, -info.mat, i32 [rows, n], which is not used.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/datasets/dataset_summary.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Returns true if the name ends in -dat.mat or -dat.mat.gz.
bool IsNorbImages(absl::string_view name);

// Says what it would read, from the first bytes of the images' file `path`. Errors: as ReadNorb.
absl::StatusOr<DatasetSummary> SummariseNorb(const std::string& path);

// Reads rows [views, height, width] with labels. `resolve` turns the name of a companion file, in the form of `name`,
// into a path that may be opened. Errors: DATA_LOSS (no such matrix, cut short, too long, a label below 0, files that
// do not match), INVALID_ARGUMENT (no rows, too large), NOT_FOUND (no labels); also see core/files/files.h.
absl::StatusOr<StoredRows> ReadNorb(const std::string& name,
                                    const std::function<absl::StatusOr<std::string>(const std::string&)>& resolve);

}  // namespace kwta

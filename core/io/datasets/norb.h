// The files of small NORB (LeCun, Huang & Bottou, 2004): matrices with little-endian headers, plain or by gzip. The one
// that ends in -dat.mat holds the images, u8 [rows, views, height, width]; beside it are its labels, -cat.mat, i32
// [rows], and perhaps more about each row, -info.mat, i32 [rows, n], which is not used.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// True if the name ends in -dat.mat or -dat.mat.gz.
bool IsNorbImages(absl::string_view name);

// Rows [views, height, width] with labels. `resolve` turns the name of a companion file, as of `name`, into a path that
// may be opened. Errors: DATA_LOSS (no such matrix, cut short, too long, a label below 0, files that do not fit each
// other), INVALID_ARGUMENT (no rows, too large), NOT_FOUND (no labels); as core/files/files.h says.
absl::StatusOr<StoredRows> ReadNorb(const std::string& name,
                                    const std::function<absl::StatusOr<std::string>(const std::string&)>& resolve);

}  // namespace kwta

// Several arrays in one file for numpy.load: an uncompressed zip archive of npy members.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/io/arrays/npy.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

struct NamedArray {
  std::string name;  // Key in numpy.load's result; unique, not empty.
  ArrayView array;
};

// Writes an npz file atomically. Equal arrays make equal files. Errors: INVALID_ARGUMENT (bf16; an archive of 4 GiB or
// more), and file-system errors (core/files/files.h).
absl::Status WriteNpz(const std::string& path, const std::vector<NamedArray>& arrays);

// Writes codes for scipy.sparse.load_npz: a CSR matrix of [rows, units]. Errors: as WriteNpz.
absl::Status WriteSparseNpz(const std::string& path, const SparseCodes& codes);

}  // namespace kwta

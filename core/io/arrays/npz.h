// Several arrays in one file that numpy.load reads: an uncompressed zip archive of npy members.
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

// Writes an npz file atomically; the same arrays give the same bytes. Errors: INVALID_ARGUMENT (bf16; an archive of 4
// GiB or more), and what the file system gives (core/files/files.h).
absl::Status WriteNpz(const std::string& path, const std::vector<NamedArray>& arrays);

// Writes codes as scipy.sparse.load_npz reads them: a CSR matrix of [rows, units]. Errors: as WriteNpz.
absl::Status WriteSparseNpz(const std::string& path, const SparseCodes& codes);

}  // namespace kwta

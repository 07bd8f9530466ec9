// Writes codes to files for other programs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/encode_types.h"

namespace kwta::client::cli {

// Writes `codes`, which `model` encoded, to a file whose name ends in .npz or .safetensors:
//   OUTPUT_MODE_SPARSE_TOPK: indices i32 [rows, k] and values f32 [rows, k];
//   OUTPUT_MODE_SPARSE_CSR: data f32, indices i32, indptr i64 and shape i64 [2]; scipy.sparse.load_npz reads the npz;
//   OUTPUT_MODE_DENSE: codes f32 [rows, units].
// A safetensors file names model and version in its metadata.
// Errors: INVALID_ARGUMENT for another ending, INTERNAL if codes for TOPK are not rectangular, and those of writing.
absl::Status WriteCodes(const std::string& path, const std::string& model, v1::OutputMode mode,
                        const EncodeResult& codes);

// Checks only the ending. Call it before anything is encoded.
absl::Status ValidateCodesPath(const std::string& path);

}  // namespace kwta::client::cli

#include "client/cli/codes_file.h"

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/npz.h"
#include "core/io/arrays/safetensors.h"

namespace kwta::client::cli {
namespace {

Tensor CopyOf(const ArrayView& array) {
  Tensor tensor(array.dtype, array.shape);
  if (tensor.bytes() > 0) std::memcpy(tensor.data(), array.data, tensor.bytes());
  return tensor;
}

absl::Status WriteArrays(const std::string& path, const std::string& model, const EncodeResult& codes,
                         const std::vector<NamedArray>& arrays) {
  if (absl::EndsWith(path, ".npz")) return WriteNpz(path, arrays);
  TensorMap tensors;
  for (const NamedArray& array : arrays) tensors.emplace(array.name, CopyOf(array.array));
  return WriteSafetensors(path, tensors, {{"model", model}, {"version", absl::StrCat(codes.model_version)}});
}

}  // namespace

absl::Status ValidateCodesPath(const std::string& path) {
  if (absl::EndsWith(path, ".npz") || absl::EndsWith(path, ".safetensors")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("codes cannot be written to '", path, "'; expected a name that ends in .npz or .safetensors"));
}

absl::Status WriteCodes(const std::string& path, const std::string& model, v1::OutputMode mode,
                        const EncodeResult& codes) {
  KWTA_RETURN_IF_ERROR(ValidateCodesPath(path));
  if (mode == v1::OUTPUT_MODE_DENSE) {
    const Tensor& dense = codes.dense();
    return WriteArrays(path, model, codes, {{"codes", {dense.dtype(), dense.shape(), dense.data()}}});
  }
  const SparseCodes& sparse = codes.sparse();
  if (mode == v1::OUTPUT_MODE_SPARSE_CSR) {
    if (absl::EndsWith(path, ".npz")) return WriteSparseNpz(path, sparse);
    const std::vector<int64_t> shape = {sparse.rows(), sparse.units};
    return WriteArrays(path, model, codes,
                       {{"data", {DType::kF32, {sparse.entries()}, sparse.values.data()}},
                        {"indices", {DType::kI32, {sparse.entries()}, sparse.indices.data()}},
                        {"indptr", {DType::kI64, {sparse.rows() + 1}, sparse.row_offsets.data()}},
                        {"shape", {DType::kI64, {2}, shape.data()}}});
  }
  const int64_t k = sparse.RectangularWidth();
  if (k < 0) return absl::InternalError("rows have different numbers of activities; write them with --mode csr");
  return WriteArrays(path, model, codes,
                     {{"indices", {DType::kI32, {sparse.rows(), k}, sparse.indices.data()}},
                      {"values", {DType::kF32, {sparse.rows(), k}, sparse.values.data()}}});
}

}  // namespace kwta::client::cli

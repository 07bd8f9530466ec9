// Products by cuBLASLt, which is loaded when it is first needed.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/cuda/device.h"

namespace kwta::cuda {

// Thread-safe.
class CublasLt {
 public:
  // Loads `library`, or the first of the usual names that the dynamic loader finds. Errors: NOT_FOUND.
  static absl::StatusOr<std::unique_ptr<CublasLt>> Load(const std::string& library);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  // Bytes of device memory that a product may use meanwhile.
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  // Queues the product on `stream`. Errors: UNIMPLEMENTED if the library has none of these sizes; INTERNAL.
  absl::Status Multiply(const Bf16ProductArgs& args, void* workspace, cudaStream_t stream);
  absl::Status Multiply(const FloatProductArgs& args, void* workspace, cudaStream_t stream);

 private:
  // A row-major matrix of `rows` rows that are `stride` elements apart, as the library sees it: its transpose.
  struct Matrix {
    const void* data;
    int64_t rows, columns, stride;
    bool transposed;
  };
  absl::Status Multiply(cudaDataType_t type, const Matrix& a, const Matrix& b, float* c, int64_t m, int64_t n,
                        int64_t k, int64_t c_stride, float scale, float keep, void* workspace, cudaStream_t stream);

  struct Functions;
  CublasLt(std::unique_ptr<Functions> functions, cublasLtHandle_t handle);

  const std::unique_ptr<Functions> functions_;
  const cublasLtHandle_t handle_;
};

}  // namespace kwta::cuda

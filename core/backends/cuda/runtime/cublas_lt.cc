#include "core/backends/cuda/runtime/cublas_lt.h"

#include <dlfcn.h>

#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kwta::cuda {

// Every function that is used, with the type that its header gives it.
// clang-format off
#define KWTA_CUBLAS_LT(X)                                                                                     \
  X(cublasLtCreate) X(cublasLtDestroy) X(cublasLtMatmul) X(cublasLtMatmulAlgoGetHeuristic)                    \
  X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute)                  \
  X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy) X(cublasLtMatmulPreferenceCreate)              \
  X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute)
// clang-format on

struct CublasLt::Functions {
#define KWTA_POINTER(name) decltype(&::name) name = nullptr;
  KWTA_CUBLAS_LT(KWTA_POINTER)
#undef KWTA_POINTER
};

absl::StatusOr<std::unique_ptr<CublasLt>> CublasLt::Load(const std::string& library) {
  std::vector<std::string> names = {"libcublasLt.so.13", "libcublasLt.so.12"};
  if (!library.empty()) names = {library};
  void* loaded = nullptr;
  for (const std::string& name : names) {
    loaded = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (loaded != nullptr) break;
  }
  if (loaded == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no cuBLASLt (", absl::StrJoin(names, ", "), "): ", dlerror()));
  }
  auto functions = std::make_unique<Functions>();
#define KWTA_LOOK_UP(name)                                                     \
  functions->name = reinterpret_cast<decltype(&::name)>(dlsym(loaded, #name)); \
  if (functions->name == nullptr) return absl::NotFoundError("this cuBLASLt has no function " #name);
  KWTA_CUBLAS_LT(KWTA_LOOK_UP)
#undef KWTA_LOOK_UP
  cublasLtHandle_t handle = nullptr;
  const cublasStatus_t created = functions->cublasLtCreate(&handle);
  if (created != CUBLAS_STATUS_SUCCESS) {
    return absl::InternalError(absl::StrCat("cuBLASLt does not start: status ", static_cast<int>(created)));
  }
  // The library stays loaded: its kernels belong to the process.
  return std::unique_ptr<CublasLt>(new CublasLt(std::move(functions), handle));
}
#undef KWTA_CUBLAS_LT

CublasLt::CublasLt(std::unique_ptr<Functions> functions, cublasLtHandle_t handle)
    : functions_(std::move(functions)), handle_(handle) {}

CublasLt::~CublasLt() { functions_->cublasLtDestroy(handle_); }

absl::Status CublasLt::Multiply(const Bf16ProductArgs& args, void* workspace, cudaStream_t stream) {
  return Multiply(CUDA_R_16BF, {args.a, args.m, args.k, args.k, false}, {args.b, args.n, args.k, args.k, true}, args.c,
                  args.m, args.n, args.k, args.c_stride, 1, 0, workspace, stream);
}

absl::Status CublasLt::Multiply(const FloatProductArgs& args, void* workspace, cudaStream_t stream) {
  const auto matrix = [](const float* data, int64_t rows, int64_t columns, bool transposed) {
    return transposed ? Matrix{data, columns, rows, rows, true} : Matrix{data, rows, columns, columns, false};
  };
  return Multiply(CUDA_R_32F, matrix(args.a, args.m, args.k, args.transpose_a),
                  matrix(args.b, args.k, args.n, args.transpose_b), args.c, args.m, args.n, args.k, args.n, args.scale,
                  args.add ? 1.0f : 0.0f, workspace, stream);
}

absl::Status CublasLt::Multiply(cudaDataType_t type, const Matrix& left, const Matrix& right, float* result,
                                int64_t rows, int64_t columns, int64_t depth, int64_t stride, float scale, float keep,
                                void* workspace, cudaStream_t stream) {
  const Functions& lt = *functions_;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  const absl::Cleanup destroy = [&] {
    if (preference != nullptr) lt.cublasLtMatmulPreferenceDestroy(preference);
    for (const cublasLtMatrixLayout_t layout : {a, b, c}) {
      if (layout != nullptr) lt.cublasLtMatrixLayoutDestroy(layout);
    }
    if (product != nullptr) lt.cublasLtMatmulDescDestroy(product);
  };
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  const auto then = [&status](auto call) {
    if (status == CUBLAS_STATUS_SUCCESS) status = call();
  };
  const auto m = static_cast<uint64_t>(rows), n = static_cast<uint64_t>(columns);
  const cublasOperation_t first = right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const size_t workspace_bytes = kWorkspaceBytes;
  cublasLtMatmulHeuristicResult_t best = {};
  int found = 0;
  // Sums that no two blocks of the device share: the same bits in every run.
  const uint32_t no_sharing = CUBLASLT_REDUCTION_SCHEME_NONE;
  // The library stores columns: a row-major c = a b is the column-major c' = b' a'. Factors in binary32 are not
  // rounded.
  then([&] { return lt.cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F); });
  then([&] { return lt.cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof(first)); });
  then(
      [&] { return lt.cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof(second)); });
  const auto layout = [&](cublasLtMatrixLayout_t* made, const Matrix& matrix) {
    return lt.cublasLtMatrixLayoutCreate(made, type, static_cast<uint64_t>(matrix.columns),
                                         static_cast<uint64_t>(matrix.rows), matrix.stride);
  };
  then([&] { return layout(&b, right); });
  then([&] { return layout(&a, left); });
  then([&] { return lt.cublasLtMatrixLayoutCreate(&c, CUDA_R_32F, n, m, stride); });
  then([&] { return lt.cublasLtMatmulPreferenceCreate(&preference); });
  then([&] {
    return lt.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace_bytes, sizeof(workspace_bytes));
  });
  then([&] {
    return lt.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &no_sharing,
                                                   sizeof(no_sharing));
  });
  const auto aligned = [&](cublasLtMatmulPreferenceAttributes_t attribute, const void* data) {
    const auto address = reinterpret_cast<uintptr_t>(data) | 256;
    const auto bytes = static_cast<uint32_t>(address & ~(address - 1));
    then([&] { return lt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof(bytes)); });
  };
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, right.data);
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, left.data);
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, result);
  aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, result);
  then([&] { return lt.cublasLtMatmulAlgoGetHeuristic(handle_, product, b, a, c, c, preference, 1, &best, &found); });
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) {
    return absl::UnimplementedError(
        absl::StrCat("cuBLASLt has no product of ", rows, " x ", columns, " x ", depth, " with this layout"));
  }
  then([&] {
    return lt.cublasLtMatmul(handle_, product, &scale, right.data, b, left.data, a, &keep, result, c, result, c,
                             &best.algo, workspace, kWorkspaceBytes, stream);
  });
  if (status == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cuBLASLt refuses a product of ", rows, " x ", columns, " x ", depth,
                                          ": status ", static_cast<int>(status)));
}

}  // namespace kwta::cuda

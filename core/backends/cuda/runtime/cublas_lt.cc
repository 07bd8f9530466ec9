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
  const auto m = static_cast<uint64_t>(args.m), n = static_cast<uint64_t>(args.n), k = static_cast<uint64_t>(args.k);
  const cublasOperation_t transposed = CUBLAS_OP_T;
  const size_t workspace_bytes = kWorkspaceBytes;
  cublasLtMatmulHeuristicResult_t best = {};
  int found = 0;
  const float one = 1, zero = 0;
  // The library stores columns: a row-major c = a b' is the column-major c' = b a'.
  then([&] { return lt.cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F); });
  then([&] {
    return lt.cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed));
  });
  then([&] { return lt.cublasLtMatrixLayoutCreate(&b, CUDA_R_16BF, k, n, args.k); });
  then([&] { return lt.cublasLtMatrixLayoutCreate(&a, CUDA_R_16BF, k, m, args.k); });
  then([&] { return lt.cublasLtMatrixLayoutCreate(&c, CUDA_R_32F, n, m, args.c_stride); });
  then([&] { return lt.cublasLtMatmulPreferenceCreate(&preference); });
  then([&] {
    return lt.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace_bytes, sizeof(workspace_bytes));
  });
  then([&] { return lt.cublasLtMatmulAlgoGetHeuristic(handle_, product, b, a, c, c, preference, 1, &best, &found); });
  if (status == CUBLAS_STATUS_SUCCESS && found == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
  then([&] {
    return lt.cublasLtMatmul(handle_, product, &one, args.b, b, args.a, a, &zero, args.c, c, args.c, c, &best.algo,
                             workspace, kWorkspaceBytes, stream);
  });
  if (status == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cuBLASLt refuses a product of ", args.m, " x ", args.n, " x ", args.k,
                                          ": status ", static_cast<int>(status)));
}

}  // namespace kwta::cuda

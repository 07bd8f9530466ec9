#include "core/backends/cuda/runtime/cuda_device.h"

#include <cuda_runtime_api.h>

#include <atomic>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device_errors.h"
#include "core/backends/cuda/runtime/cublas_lt.h"
#include "core/backends/cuda/runtime/device_kernels.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"

namespace kwta::cuda {
namespace {

// The oldest that kernels are compiled for: Ampere.
constexpr int kLeastMajor = 8;

std::string ErrorName(cudaError_t error) {
  return absl::StrCat(cudaGetErrorName(error), ", ", cudaGetErrorString(error));
}

// What leaves the process without its device, for reasons that are not the kernels'.
bool IsLoss(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContained:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
    case cudaErrorNoDevice:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

// One stream: the device does everything in the order of the calls, whichever thread makes them.
class CudaDevice final : public Device {
 public:
  CudaDevice(DeviceFacts facts, CudaDeviceOptions options, cudaStream_t stream)
      : facts_(std::move(facts)),
        options_(std::move(options)),
        stream_(stream),
        errors_(absl::StrCat("CUDA device ", options_.index, " (", facts_.name, ")")) {}
  ~CudaDevice() override {
    cudaSetDevice(options_.index);
    cudaStreamSynchronize(stream_);
    if (workspace_ != nullptr) cudaFree(workspace_);
    cudaStreamDestroy(stream_);
  }

  const DeviceFacts& facts() const override { return facts_; }

  DeviceReport report() const override {
    DeviceReport report;
    report.device = errors_.device();
    report.memory_bytes = static_cast<int64_t>(facts_.memory_bytes);
    report.copy_seconds = static_cast<double>(copy_nanoseconds_) * 1e-9;
    report.kernel_seconds = static_cast<double>(kernel_nanoseconds_) * 1e-9;
    report.failure = errors_.failure();
    cudaSetDevice(options_.index);
    cudaMemPool_t pool = nullptr;
    uint64_t used = 0, kept = 0;
    size_t free = 0, total = 0;
    const bool known = cudaDeviceGetDefaultMemPool(&pool, options_.index) == cudaSuccess &&
                       cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess &&
                       cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &kept) == cudaSuccess &&
                       cudaMemGetInfo(&free, &total) == cudaSuccess;
    if (known) {
      report.used_bytes = static_cast<int64_t>(used);
      report.free_bytes = static_cast<int64_t>(free + (kept - used));
    }
    return report;
  }

  absl::StatusOr<void*> Allocate(size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter("Allocate"));
    void* memory = nullptr;
    const cudaError_t error = cudaMallocAsync(&memory, bytes, stream_);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // the process may go on
      size_t free = 0, total = 0;
      cudaMemGetInfo(&free, &total);
      return absl::ResourceExhaustedError(
          absl::StrCat("no device memory for ", bytes, " bytes: ", free, " of ", total, " are free"));
    }
    KWTA_RETURN_IF_ERROR(Check(error));
    return memory;
  }
  void Free(void* memory) override {
    cudaSetDevice(options_.index);
    cudaFreeAsync(memory, stream_);
  }
  absl::Status Clear(void* memory, size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter("Clear"));
    return Check(cudaMemsetAsync(memory, 0, bytes, stream_));
  }
  absl::Status CopyFromHost(const void* host, void* memory, size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter("CopyFromHost"));
    return Copy(memory, host, bytes, cudaMemcpyHostToDevice);
  }
  absl::Status CopyToHost(const void* memory, void* host, size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter("CopyToHost"));
    return Copy(host, memory, bytes, cudaMemcpyDeviceToHost);
  }
  absl::Status Wait() override {
    KWTA_RETURN_IF_ERROR(Enter("Wait"));
    return Check(cudaStreamSynchronize(stream_));
  }

  absl::Status Launch(KernelId id, int64_t blocks, int threads, int64_t shared_bytes, const void* args) override {
    const DeviceKernel& kernel = KernelOf(id);
    KWTA_RETURN_IF_ERROR(Enter(kernel.name));
    void* arguments[] = {const_cast<void*>(args)};
    const cudaError_t error =
        cudaLaunchKernel(kernel.function, dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)),
                         arguments, static_cast<size_t>(shared_bytes), stream_);
    return Check(error);
  }

  bool has_products() override {
    absl::MutexLock lock(&mutex_);
    return LoadProducts().ok();
  }
  absl::Status Bf16Product(const Bf16ProductArgs& args) override {
    KWTA_RETURN_IF_ERROR(Enter("bf16_product"));
    absl::MutexLock lock(&mutex_);
    KWTA_RETURN_IF_ERROR(LoadProducts());
    return products_->Multiply(args, workspace_, stream_);
  }

 private:
  // Before each call of the runtime. Devices are chosen by thread.
  absl::Status Enter(const char* operation) {
    KWTA_RETURN_IF_ERROR(errors_.Enter(operation));
    return Check(cudaSetDevice(options_.index));
  }
  // Waits for the kernels before it, then for the copy, and times both.
  absl::Status Copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    const SteadyTime start = SteadyTime::Now();
    KWTA_RETURN_IF_ERROR(Check(cudaStreamSynchronize(stream_)));
    const SteadyTime begun = SteadyTime::Now();
    KWTA_RETURN_IF_ERROR(Check(cudaMemcpyAsync(to, from, bytes, kind, stream_)));
    KWTA_RETURN_IF_ERROR(Check(cudaStreamSynchronize(stream_)));
    kernel_nanoseconds_ += absl::ToInt64Nanoseconds(begun - start);
    copy_nanoseconds_ += absl::ToInt64Nanoseconds(SteadyTime::Now() - begun);
    return absl::OkStatus();
  }
  absl::Status Check(cudaError_t error) {
    if (error == cudaSuccess) return absl::OkStatus();
    return IsLoss(error) ? errors_.Lost(ErrorName(error)) : errors_.Failed(ErrorName(error));
  }
  absl::Status LoadProducts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (products_ != nullptr || !no_products_.ok()) return no_products_;
    absl::StatusOr<std::unique_ptr<CublasLt>> loaded = CublasLt::Load(options_.cublas_library);
    no_products_ = loaded.status();
    if (!loaded.ok()) return no_products_;
    if (cudaMalloc(&workspace_, CublasLt::kWorkspaceBytes) != cudaSuccess) {
      cudaGetLastError();
      no_products_ = absl::ResourceExhaustedError("no device memory for the workspace of products");
      return no_products_;
    }
    products_ = *std::move(loaded);
    return absl::OkStatus();
  }

  const DeviceFacts facts_;
  const CudaDeviceOptions options_;
  const cudaStream_t stream_;
  DeviceErrors errors_;
  std::atomic<int64_t> copy_nanoseconds_{0}, kernel_nanoseconds_{0};
  absl::Mutex mutex_;
  std::unique_ptr<CublasLt> products_ ABSL_GUARDED_BY(mutex_);
  absl::Status no_products_ ABSL_GUARDED_BY(mutex_);
  void* workspace_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenCudaDevice(const CudaDeviceOptions& options) {
  int devices = 0;
  cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaErrorInsufficientDriver) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    return absl::UnavailableError(absl::StrCat(
        driver == 0 ? "there is no CUDA driver" : absl::StrCat("the CUDA driver is too old: it supports ", driver),
        "; this build needs one for CUDA ", runtime / 1000, ".", runtime % 1000 / 10, " or later"));
  }
  if (error != cudaSuccess || devices == 0) {
    return absl::UnavailableError(absl::StrCat("there is no CUDA device: ", ErrorName(error)));
  }
  if (options.index < 0 || options.index >= devices) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no CUDA device ", options.index, "; this machine has ", devices, ", numbered from 0"));
  }
  cudaDeviceProp properties;
  cudaStream_t stream = nullptr;
  error = cudaSetDevice(options.index);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, options.index);
  if (error == cudaSuccess && properties.major < kLeastMajor) {
    return absl::FailedPreconditionError(absl::StrCat("CUDA device ", options.index, " (", properties.name,
                                                      ") has compute capability ", properties.major, ".",
                                                      properties.minor, "; kernels need 8.0 or later"));
  }
  cudaMemPool_t pool = nullptr;
  uint64_t keep = ~uint64_t{0};  // freed memory stays with the process: every operation takes some
  if (error == cudaSuccess) error = cudaDeviceGetDefaultMemPool(&pool, options.index);
  if (error == cudaSuccess) error = cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (error != cudaSuccess) {
    return absl::UnavailableError(absl::StrCat("CUDA device ", options.index, " does not start: ", ErrorName(error)));
  }
  return std::make_unique<CudaDevice>(DeviceFacts{properties.name, properties.totalGlobalMem}, options, stream);
}

}  // namespace kwta::cuda

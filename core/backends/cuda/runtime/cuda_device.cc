#include "core/backends/cuda/runtime/cuda_device.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device_errors.h"
#include "core/backends/cuda/graphs.h"
#include "core/backends/cuda/runtime/cublas_lt.h"
#include "core/backends/cuda/runtime/cuda_graph.h"
#include "core/backends/cuda/runtime/device_times.h"
#include "core/base/status_macros.h"

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

class CudaDevice final : public Device {
 public:
  CudaDevice(DeviceFacts facts, CudaDeviceOptions options, const std::array<cudaStream_t, kStreams>& streams)
      : facts_(std::move(facts)),
        options_(std::move(options)),
        streams_(streams),
        errors_(absl::StrCat("CUDA device ", options_.index, " (", facts_.name, ")")) {}
  ~CudaDevice() override {
    cudaSetDevice(options_.index);
    Synchronize();
    if (workspace_ != nullptr) cudaFree(workspace_);
    for (const Mark& mark : marks_) cudaEventDestroy(mark.event);
    for (const cudaStream_t stream : streams_) cudaStreamDestroy(stream);
  }

  const DeviceFacts& facts() const override { return facts_; }

  DeviceReport report() const override {
    DeviceReport report;
    report.device = errors_.device();
    report.memory_bytes = static_cast<int64_t>(facts_.memory_bytes);
    report.failure = errors_.failure();
    cudaSetDevice(options_.index);
    report.copy_seconds = copies_.Seconds();
    report.kernel_seconds = kernels_.Seconds();
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
    KWTA_RETURN_IF_ERROR(Enter());
    void* memory = nullptr;
    const cudaError_t error = cudaMallocAsync(&memory, bytes, Of(Stream::kCompute));
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
    if (!errors_.failure().ok()) Synchronize();
    cudaFreeAsync(memory, Of(Stream::kCompute));
  }
  absl::StatusOr<void*> AllocateHost(size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter());
    void* memory = nullptr;
    const cudaError_t error = cudaMallocHost(&memory, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return absl::ResourceExhaustedError(absl::StrCat("no pinned memory for ", bytes, " bytes"));
    }
    KWTA_RETURN_IF_ERROR(Check(error));
    return memory;
  }
  void FreeHost(void* memory) override {
    cudaSetDevice(options_.index);
    cudaFreeHost(memory);
  }

  absl::StatusOr<Event> CreateEvent() override {
    KWTA_RETURN_IF_ERROR(Enter());
    Mark mark;
    KWTA_RETURN_IF_ERROR(Check(cudaEventCreateWithFlags(&mark.event, cudaEventDisableTiming)));
    absl::MutexLock lock(&marks_mutex_);
    marks_.push_back(mark);
    return static_cast<Event>(marks_.size()) - 1;
  }
  absl::Status Record(Event event, Stream stream) override {
    KWTA_RETURN_IF_ERROR(Enter());
    absl::MutexLock lock(&marks_mutex_);
    // Queues of copies know no more of what computes than they have waited for.
    marks_[event].queued = stream == Stream::kCompute ? errors_.last() : waited_[static_cast<size_t>(stream)];
    return Check(cudaEventRecord(marks_[event].event, Of(stream)));
  }
  absl::Status WaitFor(Stream stream, Event event) override {
    KWTA_RETURN_IF_ERROR(Enter());
    absl::MutexLock lock(&marks_mutex_);
    int64_t& waited = waited_[static_cast<size_t>(stream)];
    waited = std::max(waited, marks_[event].queued);
    return Check(cudaStreamWaitEvent(Of(stream), marks_[event].event, 0));
  }
  absl::Status Wait(Event event) override {
    KWTA_RETURN_IF_ERROR(Enter());
    const Mark mark = MarkOf(event);
    KWTA_RETURN_IF_ERROR(Check(cudaEventSynchronize(mark.event)));
    errors_.Done(mark.queued);
    return absl::OkStatus();
  }

  absl::Status Copy(Stream stream, const void* from, void* to, size_t bytes) override {
    KWTA_RETURN_IF_ERROR(Enter());
    errors_.Queued("a copy");
    // Copies within the device are work of its kernels.
    if (stream == Stream::kCompute) return Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, Of(stream)));
    return Check(
        copies_.Time(Of(stream), [&] { return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, Of(stream)); }));
  }

  absl::Status Submit(const char* operation, const std::vector<Command>& commands) override {
    KWTA_RETURN_IF_ERROR(Enter());
    // The lists of two threads do not mix, so that a graph keeps its arguments until it is launched.
    absl::MutexLock lock(&mutex_);
    errors_.Queued(operation);
    KWTA_ASSIGN_OR_RETURN(Graph* const graph, graphs_.Find(commands));
    return Check(kernels_.Time(Of(Stream::kCompute), [&] {
      if (graph != nullptr) return static_cast<CudaGraph*>(graph)->Launch(Of(Stream::kCompute));
      cudaError_t error = cudaSuccess;
      for (const Command& command : commands) {
        if (error == cudaSuccess) error = LaunchCommand(command, Of(Stream::kCompute));
      }
      return error;
    }));
  }

  bool has_products() override {
    if (!Enter().ok()) return false;
    absl::MutexLock lock(&mutex_);
    return LoadProducts().ok();
  }
  absl::Status Bf16Product(const char* operation, const Bf16ProductArgs& args) override {
    KWTA_RETURN_IF_ERROR(Enter());
    return Multiply(operation, args);
  }
  absl::Status FloatProduct(const char* operation, const FloatProductArgs& args) override {
    KWTA_RETURN_IF_ERROR(Enter());
    return Multiply(operation, args);
  }

 private:
  struct Mark {
    cudaEvent_t event = nullptr;
    int64_t queued = 0;  // operations before it, as errors_ numbers them
  };

  cudaStream_t Of(Stream stream) const { return streams_[static_cast<size_t>(stream)]; }
  void Synchronize() {
    for (const cudaStream_t stream : streams_) cudaStreamSynchronize(stream);
  }
  Mark MarkOf(Event event) {
    absl::MutexLock lock(&marks_mutex_);
    return marks_[event];
  }
  template <typename Args>
  absl::Status Multiply(const char* operation, const Args& args) {
    absl::MutexLock lock(&mutex_);
    KWTA_RETURN_IF_ERROR(LoadProducts());
    errors_.Queued(operation);
    absl::Status multiplied;
    KWTA_RETURN_IF_ERROR(Check(kernels_.Time(Of(Stream::kCompute), [&] {
      multiplied = products_->Multiply(args, workspace_, Of(Stream::kCompute));
      return cudaSuccess;
    })));
    return multiplied;
  }
  // Before each call of the runtime. Devices are chosen by thread.
  absl::Status Enter() {
    KWTA_RETURN_IF_ERROR(errors_.failure());
    return Check(cudaSetDevice(options_.index));
  }
  absl::Status Check(cudaError_t error) {
    if (error == cudaSuccess) return absl::OkStatus();
    return IsLoss(error) ? errors_.Lost(ErrorName(error)) : errors_.Failed(ErrorName(error));
  }
  // REQUIRES: Enter, since the library and its workspace belong to the thread's device.
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
  const std::array<cudaStream_t, kStreams> streams_;
  DeviceErrors errors_;
  mutable DeviceTimes copies_, kernels_;
  absl::Mutex marks_mutex_;
  std::vector<Mark> marks_ ABSL_GUARDED_BY(marks_mutex_);
  // The last operation that each queue of copies comes after.
  std::array<int64_t, kStreams> waited_ ABSL_GUARDED_BY(marks_mutex_) = {};
  absl::Mutex mutex_;
  GraphCache graphs_ ABSL_GUARDED_BY(mutex_){CudaGraph::Create};
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
  std::array<cudaStream_t, kStreams> streams = {};
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
  for (cudaStream_t& stream : streams) {
    if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  }
  if (error != cudaSuccess) {
    return absl::UnavailableError(absl::StrCat("CUDA device ", options.index, " does not start: ", ErrorName(error)));
  }
  return std::make_unique<CudaDevice>(DeviceFacts{properties.name, properties.totalGlobalMem}, options, streams);
}

}  // namespace kwta::cuda

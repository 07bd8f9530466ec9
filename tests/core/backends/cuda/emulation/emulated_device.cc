#include "tests/core/backends/cuda/emulation/emulated_device.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/backends/cuda/kernels/kernels.h"
#include "tests/core/backends/cuda/emulation/emulated_thread.h"

namespace kwta::cuda {
namespace {

// A kernel, compiled for the emulation.
struct EmulatedKernel {
  const char* name;
  int max_threads;
  void (*run)(EmulatedThread& thread, const void* args);
};

template <typename Kernel>
constexpr EmulatedKernel Emulated() {
  return {Kernel::kName, Kernel::kMaxThreads, [](EmulatedThread& thread, const void* args) {
            Kernel::Run(thread, *static_cast<const typename Kernel::Args*>(args));
          }};
}

constexpr EmulatedKernel kKernels[] = {
#define KWTA_CUDA_KERNEL(name) Emulated<name##Kernel>(),
    KWTA_CUDA_KERNELS(KWTA_CUDA_KERNEL)
#undef KWTA_CUDA_KERNEL
};

float FromBf16(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

// `value` in binary32, cut off towards zero.
float CutOff(double value) {
  float nearest = static_cast<float>(value);
  if (!(std::abs(static_cast<double>(nearest)) > std::abs(value))) return nearest;
  uint32_t bits = 0;
  std::memcpy(&bits, &nearest, sizeof(bits));
  --bits;
  std::memcpy(&nearest, &bits, sizeof(bits));
  return nearest;
}

void Add(const LaunchCounts& from, LaunchCounts* to) {
  to->launches += 1;
  to->blocks += from.blocks;
  to->read_bytes += from.read_bytes;
  to->written_bytes += from.written_bytes;
  to->distinct_bytes += from.distinct_bytes;
  to->barriers += from.barriers;
  to->warp_operations += from.warp_operations;
  to->atomics += from.atomics;
}

}  // namespace

EmulatedDevice::EmulatedDevice(const EmulationOptions& options)
    : options_(options), facts_{"emulated", options.memory_bytes}, block_(options.seed) {
  absl::MutexLock lock(&mutex_);
  block_.Mutate(options.mutation);
  if (options.counting) block_.StartCounting();
}

EmulatedDevice::~EmulatedDevice() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [memory, bytes] : memory_) std::free(const_cast<void*>(memory));
}

DeviceReport EmulatedDevice::report() const {
  absl::MutexLock lock(&mutex_);
  DeviceReport report;
  report.device = facts_.name;
  report.memory_bytes = static_cast<int64_t>(options_.memory_bytes);
  report.used_bytes = static_cast<int64_t>(allocated_);
  report.free_bytes = report.memory_bytes - report.used_bytes;
  return report;
}

absl::StatusOr<void*> EmulatedDevice::Allocate(size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (bytes > options_.memory_bytes - allocated_) {
    return absl::ResourceExhaustedError(absl::StrCat("no device memory for ", bytes, " bytes: ", allocated_, " of ",
                                                     options_.memory_bytes, " are taken"));
  }
  // No rounding up: a sanitizer sees every element beyond the end.
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", bytes, " bytes of the emulated device"));
  }
  std::memset(memory, 0xFF, bytes);
  memory_[memory] = bytes;
  allocated_ += bytes;
  return memory;
}

void EmulatedDevice::Free(void* memory) {
  absl::MutexLock lock(&mutex_);
  const auto found = memory_.find(memory);
  if (found == memory_.end()) std::abort();
  allocated_ -= found->second;
  memory_.erase(found);
  std::free(memory);
}

absl::Status EmulatedDevice::Clear(void* memory, size_t bytes) {
  std::memset(memory, 0, bytes);
  return absl::OkStatus();
}

absl::Status EmulatedDevice::CopyFromHost(const void* host, void* memory, size_t bytes) {
  std::memcpy(memory, host, bytes);
  return absl::OkStatus();
}

absl::Status EmulatedDevice::CopyToHost(const void* memory, void* host, size_t bytes) {
  std::memcpy(host, memory, bytes);
  return absl::OkStatus();
}

absl::Status EmulatedDevice::Launch(KernelId kernel, int64_t blocks, int threads, int64_t shared_bytes,
                                    const void* args) {
  const EmulatedKernel& emulated = kKernels[static_cast<int>(kernel)];
  if (threads < kWarp || threads % kWarp != 0 || threads > emulated.max_threads || blocks < 1 ||
      blocks > (int64_t{1} << 31) - 1 || shared_bytes > (int64_t{48} << 10)) {
    return absl::InternalError(absl::StrCat(emulated.name, ": cannot launch ", blocks, " blocks of ", threads,
                                            " threads with ", shared_bytes, " bytes of shared memory"));
  }
  absl::MutexLock lock(&mutex_);
  block_.counts = LaunchCounts();
  // Blocks in an order that no kernel may rely on.
  const uint64_t drawn = (options_.seed + ++launches_) * 0x9E3779B97F4A7C15ull >> 20;
  int64_t stride = static_cast<int64_t>(drawn % static_cast<uint64_t>(blocks));
  while (std::gcd(stride, blocks) != 1) ++stride;
  int64_t number = static_cast<int64_t>(drawn >> 11) % blocks;
  for (int64_t i = 0; i < blocks; ++i, number = (number + stride) % blocks) {
    const std::string& failure = block_.Run(threads, shared_bytes, [&](int thread) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      EmulatedThread emulated_thread(&block_, thread, threads, number);
      emulated.run(emulated_thread, args);
    });
    if (!failure.empty()) return absl::InternalError(absl::StrCat(emulated.name, ": ", failure));
  }
  Add(block_.counts, &counts_[emulated.name]);
  return absl::OkStatus();
}

absl::Status EmulatedDevice::Bf16Product(const Bf16ProductArgs& args) {
  for (int64_t i = 0; i < args.m; ++i) {
    for (int64_t j = 0; j < args.n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < args.k; ++p) {
        sum = CutOff(static_cast<double>(FromBf16(args.a[i * args.k + p])) * FromBf16(args.b[j * args.k + p]) + sum);
      }
      args.c[i * args.c_stride + j] = sum;
    }
  }
  absl::MutexLock lock(&mutex_);
  LaunchCounts& counts = counts_["bf16_product"];
  ++counts.launches;
  counts.read_bytes += 2 * (args.m + args.n) * args.k;
  counts.written_bytes += 4 * args.m * args.n;
  counts.operations += 2 * args.m * args.n * args.k;
  return absl::OkStatus();
}

std::map<std::string, LaunchCounts> EmulatedDevice::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

void EmulatedDevice::ResetCounts() {
  absl::MutexLock lock(&mutex_);
  counts_.clear();
}

}  // namespace kwta::cuda

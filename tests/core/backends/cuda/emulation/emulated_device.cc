#include "tests/core/backends/cuda/emulation/emulated_device.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>

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
  to->operations += from.operations;
}

// Commands with the arguments that they were given last.
class EmulatedGraph final : public Graph {
 public:
  explicit EmulatedGraph(const std::vector<Command>& commands) : commands_(commands) {}
  absl::Status Update(size_t i, const Command& command) override {
    commands_[i] = command;
    return absl::OkStatus();
  }
  const std::vector<Command>& commands() const { return commands_; }

 private:
  std::vector<Command> commands_;
};

absl::StatusOr<std::unique_ptr<Graph>> MakeGraph(const std::vector<Command>& commands) {
  return std::make_unique<EmulatedGraph>(commands);
}

// What no device takes.
absl::Status CheckLaunch(const Command& command) {
  const EmulatedKernel& kernel = kKernels[static_cast<int>(command.kernel)];
  const int threads = command.threads;
  if (command.blocks == 0) return absl::OkStatus();
  if (threads >= kWarp && threads % kWarp == 0 && threads <= kernel.max_threads && command.blocks > 0 &&
      command.blocks < int64_t{1} << 31 && command.shared_bytes <= int64_t{48} << 10) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(kernel.name, ": cannot launch ", command.blocks, " blocks of ", threads,
                                          " threads with ", command.shared_bytes, " bytes of shared memory"));
}

void MultiplyBf16(const Bf16ProductArgs& args) {
  for (int64_t i = 0; i < args.m; ++i) {
    for (int64_t j = 0; j < args.n; ++j) {
      float sum = 0;
      for (int64_t p = 0; p < args.k; ++p) {
        sum = CutOff(static_cast<double>(FromBf16(args.a[i * args.k + p])) * FromBf16(args.b[j * args.k + p]) + sum);
      }
      args.c[i * args.c_stride + j] = sum;
    }
  }
}

// Sums in chunks, as blocks of a device have them: not in the order of ProductKernel.
void MultiplyFloats(const FloatProductArgs& args) {
  constexpr int64_t kChunk = 32;
  const int64_t a_row = args.transpose_a ? 1 : args.k, a_step = args.transpose_a ? args.m : 1;
  const int64_t b_column = args.transpose_b ? args.k : 1, b_step = args.transpose_b ? 1 : args.n;
  for (int64_t i = 0; i < args.m; ++i) {
    for (int64_t j = 0; j < args.n; ++j) {
      float sum = 0;
      for (int64_t first = 0; first < args.k; first += kChunk) {
        float chunk = 0;
        for (int64_t p = first; p < std::min(first + kChunk, args.k); ++p) {
          chunk += args.a[i * a_row + p * a_step] * args.b[j * b_column + p * b_step];
        }
        sum += chunk;
      }
      float& c = args.c[i * args.n + j];
      c = (args.add ? c : 0.0f) + args.scale * sum;
    }
  }
}

}  // namespace

EmulatedDevice::EmulatedDevice(const EmulationOptions& options)
    : options_(options),
      facts_{"emulated", options.memory_bytes},
      queues_(options.seed),
      graphs_(MakeGraph),
      block_(options.seed) {
  absl::MutexLock lock(&mutex_);
  block_.Mutate(options.mutation);
  if (options.counting) block_.StartCounting();
}

EmulatedDevice::~EmulatedDevice() {
  absl::MutexLock lock(&mutex_);
  queues_.Drain();
  for (const auto& [memory, bytes] : memory_) std::free(const_cast<void*>(memory));
  for (void* const memory : host_memory_) std::free(memory);
}

DeviceReport EmulatedDevice::report() const {
  absl::MutexLock lock(&mutex_);
  DeviceReport report;
  report.device = facts_.name;
  report.failure = failure_;
  report.memory_bytes = static_cast<int64_t>(options_.memory_bytes);
  report.used_bytes = static_cast<int64_t>(allocated_);
  report.free_bytes = report.memory_bytes - report.used_bytes;
  return report;
}

absl::StatusOr<void*> EmulatedDevice::Allocate(size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  // What was freed so far is there for what is queued from now on.
  if (bytes > options_.memory_bytes - allocated_) queues_.Drain();
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
  if (memory_.count(memory) == 0) std::abort();
  // Also after a failure: the memory goes back.
  queues_.Add(Stream::kCompute, [this, memory]() ABSL_NO_THREAD_SAFETY_ANALYSIS { Release(memory); });
}

bool EmulatedDevice::Holds(const void* memory) const {
  auto after = memory_.upper_bound(memory);
  if (after == memory_.begin()) return false;
  const auto& [begin, bytes] = *--after;
  return static_cast<const char*>(memory) < static_cast<const char*>(begin) + bytes;
}

void EmulatedDevice::Release(void* memory) {
  const auto found = memory_.find(memory);
  allocated_ -= found->second;
  memory_.erase(found);
  std::free(memory);
}

absl::StatusOr<void*> EmulatedDevice::AllocateHost(size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) return absl::ResourceExhaustedError(absl::StrCat("no memory of the host for ", bytes));
  std::memset(memory, 0xFF, bytes);
  host_memory_.insert(memory);
  return memory;
}

void EmulatedDevice::FreeHost(void* memory) {
  absl::MutexLock lock(&mutex_);
  if (host_memory_.erase(memory) == 0) std::abort();
  queues_.Drain();  // as a driver does: copies of a device that failed may be queued
  std::free(memory);
}

absl::StatusOr<Event> EmulatedDevice::CreateEvent() {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  return queues_.CreateEvent();
}

absl::Status EmulatedDevice::Record(Event event, Stream stream) {
  absl::MutexLock lock(&mutex_);
  queues_.Record(event, stream);
  return failure_;
}

absl::Status EmulatedDevice::WaitFor(Stream stream, Event event) {
  absl::MutexLock lock(&mutex_);
  if (options_.without_waits != stream) queues_.WaitFor(stream, event);
  return failure_;
}

absl::Status EmulatedDevice::Wait(Event event) {
  absl::MutexLock lock(&mutex_);
  queues_.Wait(event);
  return failure_;
}

void EmulatedDevice::Later(Stream stream, std::function<void()> action) {
  queues_.Add(stream, [this, action = std::move(action)]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (failure_.ok()) action();
  });
}

absl::Status EmulatedDevice::Copy(Stream stream, const void* from, void* to, size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  const bool from_device = Holds(from), to_device = Holds(to);
  Later(stream, [=]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    // Freed too early.
    if (Holds(from) != from_device || Holds(to) != to_device) std::abort();
    std::memcpy(to, from, bytes);
  });
  return failure_;
}

absl::Status EmulatedDevice::Submit(const char* operation, const std::vector<Command>& commands) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  for (const Command& command : commands) {
    if (absl::Status launched = CheckLaunch(command); !launched.ok()) return launched;
  }
  const absl::StatusOr<Graph*> graph = graphs_.Find(commands);
  if (!graph.ok()) return graph.status();
  graph_launches_ += *graph != nullptr;
  const std::vector<Command>& queued =
      *graph != nullptr ? static_cast<const EmulatedGraph*>(*graph)->commands() : commands;
  for (const Command& command : queued) {
    Later(Stream::kCompute,
          [this, operation, command]() ABSL_NO_THREAD_SAFETY_ANALYSIS { Execute(operation, command); });
  }
  return failure_;
}

void EmulatedDevice::Execute(const char* operation, const Command& command) {
  if (command.blocks == 0) {
    std::memset(command.memory, 0, command.bytes);
    return;
  }
  const EmulatedKernel& emulated = kKernels[static_cast<int>(command.kernel)];
  const int64_t blocks = command.blocks;
  block_.counts = LaunchCounts();
  block_.StartLaunch();
  const int64_t operations_before = exact_operations;
  // Blocks in an order that no kernel may rely on.
  const uint64_t drawn = (options_.seed + ++launches_) * 0x9E3779B97F4A7C15ull >> 20;
  int64_t stride = static_cast<int64_t>(drawn % static_cast<uint64_t>(blocks));
  while (std::gcd(stride, blocks) != 1) ++stride;
  int64_t number = static_cast<int64_t>(drawn >> 11) % blocks;
  for (int64_t i = 0; i < blocks; ++i, number = (number + stride) % blocks) {
    const std::string& failure =
        block_.Run(command.threads, command.shared_bytes, [&](int thread) ABSL_NO_THREAD_SAFETY_ANALYSIS {
          EmulatedThread emulated_thread(&block_, thread, command.threads, number);
          emulated.run(emulated_thread, command.args.data());
        });
    if (!failure.empty()) {
      failure_ = absl::InternalError(absl::StrCat("failed in ", operation, ": ", emulated.name, ": ", failure));
      return;
    }
  }
  block_.counts.operations = exact_operations - operations_before;
  Add(block_.counts, &counts_[emulated.name]);
}

absl::Status EmulatedDevice::Bf16Product(const char*, const Bf16ProductArgs& args) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  Later(Stream::kCompute, [args] { MultiplyBf16(args); });
  LaunchCounts& counts = counts_["bf16_product"];
  ++counts.launches;
  counts.read_bytes += 2 * (args.m + args.n) * args.k;
  counts.written_bytes += 4 * args.m * args.n;
  counts.operations += 2 * args.m * args.n * args.k;
  return failure_;
}

absl::Status EmulatedDevice::FloatProduct(const char*, const FloatProductArgs& args) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  Later(Stream::kCompute, [args] { MultiplyFloats(args); });
  LaunchCounts& counts = counts_["float_product"];
  ++counts.launches;
  counts.read_bytes += 4 * (args.m + args.n) * args.k;
  counts.written_bytes += 4 * args.m * args.n;
  counts.operations += 2 * args.m * args.n * args.k;
  return failure_;
}

absl::Status EmulatedDevice::Drain() {
  absl::MutexLock lock(&mutex_);
  queues_.Drain();
  return failure_;
}

std::map<std::string, LaunchCounts> EmulatedDevice::counts() {
  absl::MutexLock lock(&mutex_);
  queues_.Drain();
  return counts_;
}

void EmulatedDevice::ResetCounts() {
  absl::MutexLock lock(&mutex_);
  queues_.Drain();
  counts_.clear();
}

int64_t EmulatedDevice::graph_launches() const {
  absl::MutexLock lock(&mutex_);
  return graph_launches_;
}

}  // namespace kwta::cuda

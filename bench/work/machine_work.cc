// The machine's limits: matrix products by oneDNN, reads of memory, and hand-overs of a word between processors.
//
//   product type=f32|bf16|int8 m=M k=K n=N    rows are rows of the first factor
//   read bytes=B                              rows are bytes
//   handover times=N                          rows are hand-overs of a cache line from one thread to another
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/work/workload.h"
#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/tensors/tensor.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace kwta::bench {
namespace {

// The second factor has the layout that the library prefers, as that of a prepared dictionary would.
class ProductWork final : public Workload {
 public:
  ProductWork(dnnl::memory::data_type left, dnnl::memory::data_type right, dnnl::memory::data_type out, int64_t m,
              int64_t k, int64_t n, int threads)
      : rows_(m), threads_(threads), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using Tag = dnnl::memory::format_tag;
    omp_set_num_threads(threads_);
    const dnnl::memory::desc a({m, k}, left, Tag::ab);
    const dnnl::memory::desc b({k, n}, right, Tag::any);
    const dnnl::memory::desc c({m, n}, out, Tag::ab);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine_);
    product_ = dnnl::matmul(description);
    for (const dnnl::memory::desc& desc :
         {description.src_desc(), description.weights_desc(), description.dst_desc()}) {
      memory_.emplace_back(desc, engine_);
      // Some values that are neither subnormal nor infinite in any of the types.
      std::memset(memory_.back().get_data_handle(), 0x3b, desc.get_size());
    }
  }

  int64_t rows() const override { return rows_; }
  absl::Status Call() override {
    product_.execute(stream_, {{DNNL_ARG_SRC, memory_[0]}, {DNNL_ARG_WEIGHTS, memory_[1]}, {DNNL_ARG_DST, memory_[2]}});
    stream_.wait();
    return absl::OkStatus();
  }

 private:
  const int64_t rows_;
  const int threads_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul product_;
  std::vector<dnnl::memory> memory_;
};

class ReadWork final : public Workload {
 public:
  ReadWork(int64_t bytes, int threads) : pool_(threads), data_(DType::kI64, {bytes / 8}) {
    std::memset(data_.data(), 1, data_.bytes());
  }

  int64_t rows() const override { return static_cast<int64_t>(data_.bytes()); }
  absl::Status Call() override {
    constexpr int64_t kGrain = int64_t{1} << 17;
    const int64_t* numbers = data_.as<int64_t>();
    std::vector<int64_t> sums(static_cast<size_t>(pool_.threads()) * 8);
    pool_.ParallelFor(data_.elements(), kGrain, [&](int64_t begin, int64_t end, int thread) {
      // Several sums, so that the loop waits for memory alone.
      int64_t partial[32] = {};
      for (int64_t i = begin; i + 32 <= end; i += 32) {
        for (int64_t l = 0; l < 32; ++l) partial[l] ^= numbers[i + l];
      }
      for (int64_t l = 0; l < 32; ++l) sums[static_cast<size_t>(thread) * 8] ^= partial[l];
    });
    for (const int64_t sum : sums) total_ ^= sum;
    return total_ == 1 ? absl::InternalError("memory does not hold what was written to it") : absl::OkStatus();
  }

 private:
  ThreadPool pool_;
  Tensor data_;
  int64_t total_ = 0;
};

// Two threads that answer each other through one word. Processors that share a cache take a quarter of the time of
// those that do not. Training depends on this, since its threads read what the others wrote.
class HandoverWork final : public Workload {
 public:
  explicit HandoverWork(int64_t times) : times_(times / 2 * 2) {}

  int64_t rows() const override { return times_; }
  absl::Status Call() override {
    word_.store(0);
    std::thread other([this] { Answer(1); });
    Answer(0);
    other.join();
    return word_.load() == times_ ? absl::OkStatus() : absl::InternalError("a hand-over was lost");
  }

 private:
  // Adds one whenever the word is even (remainder 0) or odd (remainder 1).
  void Answer(int64_t remainder) {
    for (int64_t turn = remainder; turn < times_; turn += 2) {
      while (word_.load(std::memory_order_acquire) != turn) {
      }
      word_.store(turn + 1, std::memory_order_release);
    }
  }

  const int64_t times_;
  alignas(64) std::atomic<int64_t> word_{0};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Workload>> CreateProductWork(const WorkSpec& spec, const WorkOptions& options) {
  using Type = dnnl::memory::data_type;
  KWTA_ASSIGN_OR_RETURN(const int64_t m, spec.Number("m"));
  KWTA_ASSIGN_OR_RETURN(const int64_t k, spec.Number("k"));
  KWTA_ASSIGN_OR_RETURN(const int64_t n, spec.Number("n"));
  const std::string type = spec.Text("type", "f32");
  const int threads = ResolveThreads(options.threads);
  try {
    if (type == "f32") return std::make_unique<ProductWork>(Type::f32, Type::f32, Type::f32, m, k, n, threads);
    if (type == "bf16") return std::make_unique<ProductWork>(Type::bf16, Type::bf16, Type::f32, m, k, n, threads);
    if (type == "int8") return std::make_unique<ProductWork>(Type::u8, Type::s8, Type::s32, m, k, n, threads);
  } catch (const dnnl::error& error) {
    return absl::UnimplementedError(absl::StrCat("oneDNN has no ", type, " product here: ", error.what()));
  }
  return absl::InvalidArgumentError(absl::StrCat("product needs type=f32, bf16 or int8, not '", type, "'"));
}

absl::StatusOr<std::unique_ptr<Workload>> CreateReadWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const int64_t bytes, spec.Number("bytes"));
  return std::make_unique<ReadWork>(bytes, ResolveThreads(options.threads));
}

absl::StatusOr<std::unique_ptr<Workload>> CreateHandoverWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const int64_t times, spec.Number("times"));
  if (ResolveThreads(options.threads) < 2) return absl::UnimplementedError("handing over takes two threads");
  return std::make_unique<HandoverWork>(times);
}

}  // namespace kwta::bench

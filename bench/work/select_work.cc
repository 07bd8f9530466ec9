// Selects the k largest of each row of a score matrix.
//
//   select data=NAME units=N k=K rows=R [weights=random]   scores R rows with the dictionary that `encode` uses
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/work/inputs.h"
#include "bench/work/models.h"
#include "bench/work/workload.h"
#include "core/backends/backend_registry.h"
#include "core/backends/onednn/codes/largest.h"
#include "core/backends/staging.h"
#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace kwta::bench {
namespace {

class SelectWork final : public Workload {
 public:
  SelectWork(Tensor scores, int64_t k, int threads)
      : pool_(threads),
        select_(onednn::codes::LargestKernelsFor(simd::AvailableInstructionSets().front()).top_k),
        scores_(std::move(scores)),
        k_(k),
        indices_(static_cast<size_t>(rows() * k)),
        values_(static_cast<size_t>(rows() * k)),
        scratch_(DType::kF32, {pool_.threads(), onednn::codes::TopKScratchElements(units())}) {}

  int64_t rows() const override { return scores_.shape()[0]; }
  absl::Status Call() override {
    constexpr int64_t kGrainRows = 16;
    pool_.ParallelFor(rows(), kGrainRows, [this](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        const float* row = scores_.as<float>() + i * units();
        select_(row, units(), k_, i + 1 < end ? row + units() : nullptr,
                scratch_.as<float>() + thread * onednn::codes::TopKScratchElements(units()), indices_.data() + i * k_,
                values_.data() + i * k_);
      }
    });
    return absl::OkStatus();
  }

 private:
  int64_t units() const { return scores_.shape()[1]; }

  ThreadPool pool_;
  const onednn::codes::TopKFunction select_;
  const Tensor scores_;  // [rows, units]
  const int64_t k_;
  std::vector<int32_t> indices_;
  std::vector<float> values_;
  Tensor scratch_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Workload>> CreateSelectWork(const WorkSpec& spec, const WorkOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const int64_t units, spec.Number("units"));
  KWTA_ASSIGN_OR_RETURN(const int64_t k, spec.Number("k"));
  KWTA_ASSIGN_OR_RETURN(const int64_t rows, spec.Number("rows"));
  BackendOptions backend_options;
  backend_options.threads = options.threads;
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, CreateBackend("", backend_options));
  const std::string data_name = spec.Text("data", "patches");
  KWTA_ASSIGN_OR_RETURN(const Tensor data, LoadFloats(options, data_name));
  KWTA_ASSIGN_OR_RETURN(const ModelBundle bundle, ModelOf(spec, options, data.shape()[1], backend));
  if (data.shape()[0] < rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("select needs ", rows, " rows of '", data_name, "', which has ", data.shape()[0]));
  }
  Tensor scores(DType::kF32, {rows, units});
  const Tensor& atoms = bundle.tensors.at("atoms");
  KWTA_ASSIGN_OR_RETURN(const StagedInput a, StagedInput::Create(*backend, data.data(), data.bytes()));
  KWTA_ASSIGN_OR_RETURN(const StagedInput b, StagedInput::Create(*backend, atoms.data(), atoms.bytes()));
  KWTA_ASSIGN_OR_RETURN(StagedOutput c, StagedOutput::Create(*backend, scores.data(), scores.bytes()));
  KWTA_RETURN_IF_ERROR(
      backend->Gemm({a.as<float>(), b.as<float>(), c.as<float>(), rows, units, data.shape()[1], true}));
  KWTA_RETURN_IF_ERROR(c.Finish(*backend));
  return std::make_unique<SelectWork>(std::move(scores), k, ResolveThreads(options.threads));
}

}  // namespace kwta::bench

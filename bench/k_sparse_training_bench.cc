// Times a training step of the k-sparse encoder as the trainer calls it.
//
//   k_sparse_training_bench --data DIR [--benchmark_filter=...]
//
// Cases are named backend/data/batch. "images" are real (DIR/mnist, or the system's Fashion-MNIST without it). "dense"
// rows are Gaussian and 768 wide: to a step they look like whitened patches. Items per second are rows per second. Each
// case first trains for several thousand rows, so that codes come from a dictionary that has begun to learn.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/base/rng.h"
#include "core/encoders/k_sparse.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {
namespace {

constexpr int64_t kUnits = 1000;
constexpr int64_t kK = 25;
constexpr int64_t kRows = 20'000;
constexpr int64_t kWarmUpRows = 100'000;

template <typename T>
T Value(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::exit(1);
}

struct Rows {
  int64_t width = 0;
  float learning_rate = 0;
  std::vector<float> values;  // [kRows, width]
};

Rows Images(const std::string& directory) {
  v1::DatasetRef reference;
  reference.set_name(directory.empty() ? "fashion-mnist" : "mnist");
  reference.set_max_rows(kRows);
  DatasetOptions options;
  if (!directory.empty()) options.directories.push_back(directory);
  const Dataset data = Value(LoadDataset(reference, options));
  v1::PreprocessingSpec spec;
  spec.set_u8_divisor(255);
  const Preprocessor preprocessor(spec, {});
  Rows rows{data.width(), 0.01f, std::vector<float>(kRows * data.width())};
  for (int64_t i = 0; i < kRows; ++i) preprocessor.ToFloat(data.row(i), rows.values.data() + i * data.width());
  return rows;
}

Rows Dense() {
  Rows rows{768, 0.0005f, std::vector<float>(kRows * 768)};
  Rng rng(3);
  for (float& value : rows.values) value = static_cast<float>(rng.Gaussian());
  return rows;
}

void TrainingStep(benchmark::State& state, const std::string& backend_name, const Rows& rows, int64_t batch) {
  v1::KSparseSpec spec;
  spec.set_units(kUnits);
  spec.set_k(kK);
  if (!ResolveKSparse(&spec).ok()) std::exit(1);
  const std::shared_ptr<Backend> backend = Value(CreateBackend(backend_name, BackendOptions()));
  const std::unique_ptr<Learner> learner = Value(CreateKSparseLearner(spec, rows.width, 1, backend));
  int64_t next = 0;
  StepStatistics last;
  const auto step = [&] {
    const StepOptions options = {kK, rows.learning_rate, 0.9f};
    const absl::Status status = learner->Step(rows.values.data() + next * rows.width, batch, options);
    last = Value(status.ok() ? learner->TakeStatistics() : status);
    next = next + 2 * batch <= kRows ? next + batch : 0;
  };
  const int64_t warm_up = backend_name == "reference" ? batch : kWarmUpRows;
  for (int64_t done = 0; done < warm_up; done += batch) step();
  for (auto _ : state) step();
  state.SetItemsProcessed(state.iterations() * batch);
  int64_t active = 0;
  for (int64_t unit = 0; unit < kUnits; ++unit) active += last.active_rows[unit] > 0;
  state.counters["active_units"] = static_cast<double>(active);
  state.counters["loss"] = last.squared_errors.front() / static_cast<double>(batch);
  state.counters["threads"] = backend->threads();
}

}  // namespace
}  // namespace kwta

int main(int argc, char** argv) {
  std::string directory;
  if (argc > 2 && std::strcmp(argv[1], "--data") == 0) {
    directory = argv[2];
    argv[2] = argv[0];
    argv += 2;
    argc -= 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const kwta::Rows images = kwta::Images(directory);
  const kwta::Rows dense = kwta::Dense();
  for (const std::string& backend : kwta::BackendNames()) {
    for (const int64_t batch : {100, 1000}) {
      for (const bool is_dense : {false, true}) {
        const std::string name =
            backend + "/KSparseStep/" + (is_dense ? "dense" : "images") + "/batch:" + std::to_string(batch);
        const kwta::Rows& rows = is_dense ? dense : images;
        benchmark::RegisterBenchmark(
            name.c_str(), [=, &rows](benchmark::State& state) { kwta::TrainingStep(state, backend, rows, batch); })
            ->UseRealTime()
            ->MeasureProcessCPUTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

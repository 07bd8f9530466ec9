// Times a training step of the k-sparse encoder as the trainer calls it.
//
//   k_sparse_training_bench [--data DIR] [--threads N] [--benchmark_filter=...]
//
// Cases are named backend/KSparseStep/rows/batch. Rows are fashion-mnist (the system's) and, with --data, DIR/mnist: as
// they are, and "centred", less their mean, as `kwta train --subtract-mean` has them. "dense" rows are Gaussian and 768
// wide: to a step they look like whitened patches. Items per second are rows per second. Each case first trains a
// while, with k falling to its final value meanwhile: units that were in codes once move on and are candidates of many
// rows.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
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
constexpr int64_t kWarmUpRows = 240'000;

template <typename T>
T Value(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::exit(1);
}

struct Rows {
  std::string name;
  int64_t width = 0;
  float learning_rate = 0;
  std::vector<float> values;  // [kRows, width]
  std::vector<float> mean;    // subtracted from them; may be empty
};

Rows Images(const std::string& name, float learning_rate, const DatasetOptions& options) {
  v1::DatasetRef reference;
  reference.set_name(name);
  reference.set_max_rows(kRows);
  const Dataset data = Value(LoadDataset(reference, options));
  v1::PreprocessingSpec spec;
  spec.set_u8_divisor(255);
  const Preprocessor preprocessor(spec, {});
  Rows rows{name, data.width(), learning_rate, std::vector<float>(kRows * data.width()), {}};
  for (int64_t i = 0; i < kRows; ++i) preprocessor.ToFloat(data.row(i), rows.values.data() + i * data.width());
  return rows;
}

Rows Centred(const Rows& rows) {
  Rows centred = rows;
  centred.name += "-centred";
  centred.learning_rate = 0.01f;
  centred.mean.resize(static_cast<size_t>(rows.width));
  for (int64_t d = 0; d < rows.width; ++d) {
    double sum = 0;
    for (int64_t i = 0; i < kRows; ++i) sum += rows.values[i * rows.width + d];
    centred.mean[d] = static_cast<float>(sum / kRows);
    for (int64_t i = 0; i < kRows; ++i) centred.values[i * rows.width + d] -= centred.mean[d];
  }
  return centred;
}

Rows Dense() {
  Rows rows{"dense", 768, 0.0005f, std::vector<float>(kRows * 768), {}};
  Rng rng(3);
  for (float& value : rows.values) value = static_cast<float>(rng.Gaussian());
  return rows;
}

// Learns from rows, batch by batch. Trains a while when it is first measured, not again for each estimate of a time.
class TrainedCase {
 public:
  TrainedCase(std::string backend, const Rows& rows, int64_t batch, int threads)
      : backend_name_(std::move(backend)), rows_(rows), batch_(batch), threads_(threads) {}

  void Run(benchmark::State& state) {
    if (learner_ == nullptr) Train();
    for (auto _ : state) Step(kK);
    state.SetItemsProcessed(state.iterations() * batch_);
    int64_t active = 0;
    for (int64_t unit = 0; unit < kUnits; ++unit) active += last_.active_rows[unit] > 0;
    state.counters["active_units"] = static_cast<double>(active);
    state.counters["loss"] = last_.squared_errors.front() / static_cast<double>(batch_);
    state.counters["threads"] = learner_threads_;
  }

 private:
  void Train() {
    v1::KSparseSpec spec;
    spec.set_units(kUnits);
    spec.set_k(kK);
    if (!ResolveKSparse(&spec).ok()) std::exit(1);
    BackendOptions options;
    options.threads = threads_;
    const std::shared_ptr<Backend> backend = Value(CreateBackend(backend_name_, options));
    learner_threads_ = backend->threads();
    learner_ = Value(CreateKSparseLearner(spec, rows_.width, 1, backend, rows_.mean));
    const int64_t warm_up = backend_name_ == "reference" ? batch_ : kWarmUpRows;
    for (int64_t done = 0; done < warm_up; done += batch_) {
      Step(learner_->ScheduledK(static_cast<double>(done) / static_cast<double>(warm_up)));
    }
  }

  void Step(int64_t k) {
    const StepOptions options = {k, rows_.learning_rate, 0.9f};
    const absl::Status status = learner_->Step(rows_.values.data() + next_ * rows_.width, batch_, options);
    last_ = Value(status.ok() ? learner_->TakeStatistics() : status);
    next_ = next_ + 2 * batch_ <= kRows ? next_ + batch_ : 0;
  }

  const std::string backend_name_;
  const Rows& rows_;
  const int64_t batch_;
  const int threads_;
  int learner_threads_ = 0;
  std::unique_ptr<Learner> learner_;
  int64_t next_ = 0;
  StepStatistics last_;
};

}  // namespace
}  // namespace kwta

int main(int argc, char** argv) {
  using kwta::Rows;
  std::string directory;
  int threads = 0;
  for (; argc > 2; argc -= 2, argv += 2) {
    if (std::strcmp(argv[1], "--data") == 0) {
      directory = argv[2];
    } else if (std::strcmp(argv[1], "--threads") == 0) {
      threads = std::atoi(argv[2]);
    } else {
      break;
    }
    argv[2] = argv[0];
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  kwta::DatasetOptions options;
  if (!directory.empty()) options.directories.push_back(directory);
  // Uncentred garments have much energy along their mean: larger rates diverge.
  std::vector<Rows> data = {kwta::Images("fashion-mnist", 0.001f, options)};
  if (!directory.empty()) data.push_back(kwta::Images("mnist", 0.01f, options));
  for (size_t i = data.size(); i-- > 0;) data.push_back(kwta::Centred(data[i]));
  data.push_back(kwta::Dense());
  for (const std::string& backend : kwta::BackendNames()) {
    for (const int64_t batch : {100, 1000}) {
      for (const Rows& rows : data) {
        const std::string name = backend + "/KSparseStep/" + rows.name + "/batch:" + std::to_string(batch);
        const auto trained = std::make_shared<kwta::TrainedCase>(backend, rows, batch, threads);
        benchmark::RegisterBenchmark(name.c_str(), [trained](benchmark::State& state) { trained->Run(state); })
            ->UseRealTime()
            ->MeasureProcessCPUTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

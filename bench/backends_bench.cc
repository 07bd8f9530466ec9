// Times the backends' operations, and the calls that make up one training step.
//
//   backends_bench [--benchmark_filter=onednn]
//
// Cases are named backend/operation/...; items per second are rows per second. Inputs resemble images: half of the
// elements are zero, the rest uniform on 0 .. 1, with a common pattern so that rows resemble each other.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/backends/host_backend.h"
#include "core/base/rng.h"

namespace kwta {
namespace {

constexpr int64_t kWidth = 784;
constexpr int64_t kUnits = 1000;

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

template <typename T>
T Value(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

// An array in the backend's memory.
class Array {
 public:
  Array(Backend& backend, int64_t elements) : buffer_(Value(AllocateZeroed(backend, elements * sizeof(float)))) {}
  Array(Backend& backend, const std::vector<float>& values) : Array(backend, static_cast<int64_t>(values.size())) {
    Check(backend.CopyFromHost(values.data(), buffer_.as<void>(), values.size() * sizeof(float)));
  }
  float* floats() { return buffer_.as<float>(); }
  int32_t* ints() { return buffer_.as<int32_t>(); }

 private:
  Buffer buffer_;
};

std::vector<float> Images(int64_t rows) {
  Rng rng(1);
  std::vector<float> pattern(kWidth);
  for (float& value : pattern) value = static_cast<float>(rng.Uniform());
  std::vector<float> images(rows * kWidth);
  for (int64_t i = 0; i < rows * kWidth; ++i) {
    const double value = pattern[i % kWidth] + rng.Uniform() - 1;
    images[i] = static_cast<float>(std::max(0.0, value));
  }
  return images;
}

std::vector<float> Gaussians(int64_t count, double sigma) {
  Rng rng(2);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
  return values;
}

// The arrays of one training step, which runs operation by operation; only processors have all of these operations.
struct Step {
  Step(HostBackend& backend, int64_t rows, int64_t k)
      : backend(backend),
        rows(rows),
        k(k),
        x(backend, Images(rows)),
        atoms(backend, Gaussians(kUnits * kWidth, 0.035)),
        bias(backend, kUnits),
        decoder_bias(backend, kWidth),
        indices(backend, rows * k),
        values(backend, rows * k),
        residual(backend, rows * kWidth),
        gradient_atoms(backend, kUnits * kWidth),
        gradient_bias(backend, kUnits),
        gradient_decoder_bias(backend, kWidth),
        active_rows(backend, kUnits),
        atoms_velocity(backend, kUnits * kWidth),
        bias_velocity(backend, kUnits),
        decoder_bias_velocity(backend, kWidth),
        dictionary(Value(backend.PrepareDictionary(atoms.floats(), bias.floats(), kUnits, kWidth))) {}

  void Encode() { Check(backend.AffineTopK({dictionary.get(), x.floats(), rows, k, indices.ints(), values.floats()})); }
  void Decode() {
    Check(backend.SparseResidual(
        {{atoms.floats(), decoder_bias.floats(), indices.ints(), values.floats(), rows, k, kWidth, residual.floats()},
         x.floats(),
         &squared_error}));
  }
  void Gradient() {
    Check(backend.SparseGradient({atoms.floats(), x.floats(), residual.floats(), indices.ints(), values.floats(), rows,
                                  k, kUnits, kWidth, 1.0f / static_cast<float>(rows), gradient_atoms.floats(),
                                  gradient_bias.floats(), gradient_decoder_bias.floats(), active_rows.ints()}));
  }
  void UpdateAtoms() {
    Check(backend.MomentumUpdate({atoms.floats(), atoms_velocity.floats(), gradient_atoms.floats(), active_rows.ints(),
                                  kUnits, kWidth, 0.0001f, 0.9f, false}));
  }
  void UpdateBiases() {
    Check(backend.MomentumUpdate(
        {bias.floats(), bias_velocity.floats(), gradient_bias.floats(), nullptr, 1, kUnits, 0.0001f, 0.9f, false}));
    Check(backend.MomentumUpdate({decoder_bias.floats(), decoder_bias_velocity.floats(), gradient_decoder_bias.floats(),
                                  nullptr, 1, kWidth, 0.0001f, 0.9f, false}));
  }
  void Refresh() { Check(backend.RefreshDictionary(*dictionary)); }

  HostBackend& backend;
  int64_t rows, k;
  Array x, atoms, bias, decoder_bias, indices, values, residual;
  Array gradient_atoms, gradient_bias, gradient_decoder_bias, active_rows;
  Array atoms_velocity, bias_velocity, decoder_bias_velocity;
  double squared_error = 0;
  std::unique_ptr<Dictionary> dictionary;
};

// Null if the backend does not compute on the processor.
std::shared_ptr<HostBackend> MakeHostBackend(const std::string& name) {
  return std::dynamic_pointer_cast<HostBackend>(Value(CreateBackend(name, BackendOptions())));
}

// Times `operation` on a step that already has codes and gradients.
template <typename Operation>
void Run(benchmark::State& state, const std::string& backend_name, int64_t rows, int64_t k, Operation operation) {
  const std::shared_ptr<HostBackend> backend = MakeHostBackend(backend_name);
  Step step(*backend, rows, k);
  step.Encode();
  step.Decode();
  step.Gradient();
  for (auto _ : state) operation(step);
  state.SetItemsProcessed(state.iterations() * rows);
  state.counters["threads"] = backend->threads();
}

template <typename Operation>
void Register(const std::string& backend, const char* name, int64_t rows, int64_t k, Operation operation) {
  const std::string title = backend + "/" + name + "/rows:" + std::to_string(rows) + "/k:" + std::to_string(k);
  benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) { Run(state, backend, rows, k, operation); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

void RegisterAll() {
  for (const std::string& backend : BackendNames()) {
    if (MakeHostBackend(backend) == nullptr) continue;
    for (int64_t rows : {1, 2, 4, 8, 16, 100, 256, 2000}) {
      for (int64_t k : {25, 75}) Register(backend, "AffineTopK", rows, k, [](Step& step) { step.Encode(); });
    }
    Register(backend, "RefreshDictionary", 100, 25, [](Step& step) { step.Refresh(); });
    Register(backend, "SparseResidual", 100, 25, [](Step& step) { step.Decode(); });
    Register(backend, "SparseGradient", 100, 25, [](Step& step) { step.Gradient(); });
    Register(backend, "MomentumUpdate", 100, 25, [](Step& step) { step.UpdateAtoms(); });
    Register(backend, "TrainingStep", 100, 25, [](Step& step) {
      step.Refresh();
      step.Encode();
      step.Decode();
      step.Gradient();
      step.UpdateAtoms();
      step.UpdateBiases();
    });
  }
}

}  // namespace
}  // namespace kwta

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  kwta::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

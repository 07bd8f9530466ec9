// Times the path of a request through the batcher, without the encoding: the encoder computes nothing.
//
//   batcher_bench [--benchmark_filter=...]
//
// The arguments are the number of requests in a batch, each one row of 784 floats, and the number of callers. Items per
// second are requests per second.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/batching/batcher.h"

namespace kwta::server {
namespace {

constexpr int64_t kWidth = 784, kUnits = 1000, kK = 25;

class IdleEncoder final : public Encoder {
 public:
  int64_t input_width() const override { return kWidth; }
  int64_t code_width() const override { return kUnits; }
  int64_t parameter_bytes() const override { return 0; }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions&) const override { return kK; }
  absl::Status Encode(const RowsView& x, int64_t k, Codes* out) const override {
    SparseCodes* const codes = SparseIn(out);
    codes->units = kUnits;
    codes->row_offsets.resize(static_cast<size_t>(x.rows + 1));
    for (int64_t i = 0; i <= x.rows; ++i) codes->row_offsets[i] = i * k;
    codes->indices.resize(static_cast<size_t>(x.rows * k));
    codes->values.resize(static_cast<size_t>(x.rows * k));
    return absl::OkStatus();
  }
  absl::Status Decode(const SparseCodes&, float*) const override {
    return absl::UnimplementedError("nothing is encoded");
  }
};

void BatchOfRequests(benchmark::State& state) {
  const int64_t requests = state.range(0), callers = state.range(1);
  auto model = std::make_shared<ServedModel>();
  model->name = "idle";
  model->encoder = std::make_shared<IdleEncoder>();
  const std::vector<float> row(kWidth);
  std::vector<std::string> names;
  for (int64_t i = 0; i < callers; ++i) names.push_back(absl::StrCat("caller-", i));
  Batcher batcher({}, {});
  int64_t answered = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < requests; ++i) {
      EncodeWork work;
      work.model = model;
      work.rows = {DType::kF32, row.data(), 1, kWidth};
      work.k = kK;
      work.caller = names[static_cast<size_t>(i % callers)];
      batcher.Submit(std::move(work),
                     [&answered](const absl::StatusOr<EncodeResult>& result) { answered += result.ok() ? 1 : 0; });
    }
    while (batcher.RunOneBatch()) {
    }
  }
  if (answered != state.iterations() * requests) state.SkipWithError("a request was refused");
  state.SetItemsProcessed(answered);
}
BENCHMARK(BatchOfRequests)
    ->ArgNames({"requests", "callers"})
    ->Args({1, 1})
    ->Args({64, 1})
    ->Args({256, 1})
    ->Args({256, 16});

}  // namespace
}  // namespace kwta::server

BENCHMARK_MAIN();

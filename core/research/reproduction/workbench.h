// What every recipe of a reproduction works with: data, training, encoding, and the memory of what is finished.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/thread_pool.h"
#include "core/encoders/encoder.h"
#include "core/io/datasets/dataset.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/reproduction.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/job.pb.h"
#include "nlohmann/json.hpp"

namespace kwta {

// Not thread-safe.
class Workbench {
 public:
  // Makes the state directory. Errors: what the backend and the file system give. `options` must outlive it.
  static absl::StatusOr<std::unique_ptr<Workbench>> Create(const ReproductionOptions& options);

  bool quick() const { return options_.quick; }
  int seeds() const;
  ThreadPool& pool() { return pool_; }
  const std::shared_ptr<Backend>& backend() const { return backend_; }
  // The stage that is under way, for the caller's progress; and how much of it is done.
  void Start(const std::string& stage);
  void Update(double fraction);
  // CANCELLED once the caller wants an end.
  absl::Status CheckStop() const;
  // Both: for callbacks that may end what calls them.
  absl::Status Advance(double fraction);

  // The name of the data set to take for MNIST: "mnist", or in a quick run without it "fashion-mnist".
  absl::StatusOr<std::string> Digits() const;
  absl::StatusOr<Dataset> Load(const v1::DatasetRef& reference) const;

  // The model of `spec` (whose model name need not be set), trained unless the state has it. With a base, spec says
  // whether a layer is put on it or it is fine-tuned. `label` is for progress and names the model's directory. An
  // interrupted training goes on from its checkpoint.
  absl::StatusOr<ModelBundle> Train(const std::string& label, v1::JobSpec spec, const ModelBundle* base = nullptr);

  // Dense codes of all rows, [rows, code_width], f32, or bf16 where f32 would take more than 2 GiB.
  absl::StatusOr<Tensor> Codes(const ModelBundle& model, const Dataset& data, const EncodeOptions& options);

  // Writes the report as it is so far, with the settings of the run, where ReproductionOptions says.
  absl::Status Publish(Report* report) const;
  // OUTPUT/TABLE with this at the end.
  std::string ReportPath(absl::string_view extension) const;

  // What `compute` gave for `key`, now or in an earlier run. `key` names everything that the result depends on.
  absl::StatusOr<nlohmann::json> Once(const std::string& label, const nlohmann::json& key,
                                      const std::function<absl::StatusOr<nlohmann::json>()>& compute);

 private:
  Workbench(const ReproductionOptions& options, std::shared_ptr<Backend> backend, int threads)
      : options_(options), backend_(std::move(backend)), pool_(threads) {}
  std::string StatePath(absl::string_view kind, const std::string& label, absl::string_view key) const;

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const ReproductionOptions& options_;
  const std::shared_ptr<Backend> backend_;
  ThreadPool pool_;
  std::string stage_;
};

// Bytes or numbers of all rows as they are stored, [rows, width].
Tensor StoredRows(const Dataset& data);

}  // namespace kwta

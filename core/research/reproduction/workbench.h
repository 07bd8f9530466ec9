// The tools of every recipe of a reproduction: data, training, encoding, and a record of finished work.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
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
  // Creates the state directory. Errors: NOT_FOUND if there is none and ReproductionOptions.report_only needs one; those
  // of the backend and the file system. `options` must outlive it.
  static absl::StatusOr<std::unique_ptr<Workbench>> Create(const ReproductionOptions& options);

  bool quick() const { return options_.quick; }
  int seeds() const;
  ThreadPool& pool() { return pool_; }
  const std::shared_ptr<Backend>& backend() const { return backend_; }
  // Report the current stage to the caller's progress, and the finished fraction of it.
  void Start(const std::string& stage);
  void Update(double fraction);
  // CANCELLED once the caller asks to stop.
  absl::Status CheckStop() const;
  // Update and CheckStop together, for callbacks that may end their caller.
  absl::Status Advance(double fraction);

  // The data set to use for MNIST: "mnist", or "fashion-mnist" in a quick run without MNIST.
  absl::StatusOr<std::string> Digits() const;
  absl::StatusOr<Dataset> Load(const v1::DatasetRef& reference) const;

  // Returns the model of `spec` (whose model name may be unset), and trains it unless the state has it. With a base,
  // spec says whether to add a layer to it or to fine-tune it. `label` appears in progress and names the model's
  // directory. An interrupted training resumes from its checkpoint.
  absl::StatusOr<ModelBundle> Train(const std::string& label, v1::JobSpec spec, const ModelBundle* base = nullptr);

  // Once, of what `measure` makes of the model of `spec`, or of the error that ended its training. Keeps that alone: no
  // model, and no checkpoint once it is there. `key` names what else the result depends on.
  absl::StatusOr<nlohmann::json> MeasureOnce(
      const std::string& label, const v1::JobSpec& spec, const nlohmann::json& key,
      const std::function<absl::StatusOr<nlohmann::json>(const absl::StatusOr<ModelBundle>&)>& measure);
  // What MeasureOnce returned for the same arguments, if it did.
  absl::StatusOr<std::optional<nlohmann::json>> Measured(const std::string& label, const v1::JobSpec& spec,
                                                         const nlohmann::json& key) const;
  // Whether ReproductionOptions lets this run compute what has this name.
  bool Wants(const std::string& name) const;
  // Checks that each pattern of ReproductionOptions.only matches one of `names`, which `form` describes to the user.
  // Errors: INVALID_ARGUMENT, which says what a name looks like.
  absl::Status CheckOnly(const std::vector<std::string>& names, absl::string_view form) const;

  // Dense codes of all rows, [rows, code_width]: f32, or bf16 if f32 would take more than 2 GiB.
  absl::StatusOr<Tensor> Codes(const ModelBundle& model, const Dataset& data, const EncodeOptions& options);

  // Writes the current report, with the settings of the run, to the directory in ReproductionOptions.
  absl::Status Publish(Report* report) const;
  // The path OUTPUT/TABLE with this extension.
  std::string ReportPath(absl::string_view extension) const;

  // Returns the result of `compute` for `key`, from now or an earlier run. `key` names everything that the result
  // depends on.
  absl::StatusOr<nlohmann::json> Once(const std::string& label, const nlohmann::json& key,
                                      const std::function<absl::StatusOr<nlohmann::json>()>& compute);

 private:
  Workbench(const ReproductionOptions& options, std::shared_ptr<Backend> backend, int threads)
      : options_(options), backend_(std::move(backend)), pool_(threads) {}
  std::string StatePath(absl::string_view kind, const std::string& label, absl::string_view key) const;
  // Once's result of an earlier call.
  absl::StatusOr<std::optional<nlohmann::json>> Recorded(const std::string& label, const nlohmann::json& key) const;
  // Fills in what is the same in all jobs of a reproduction, and defaults.
  absl::StatusOr<v1::JobSpec> Resolved(v1::JobSpec spec, const ModelBundle* base) const;
  // Trains a resolved job, from its checkpoint in `checkpoints` if there is one.
  absl::StatusOr<ModelBundle> TrainFrom(const std::string& checkpoints, const v1::JobSpec& spec,
                                        const ModelBundle* base);

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const ReproductionOptions& options_;
  const std::shared_ptr<Backend> backend_;
  ThreadPool pool_;
  std::string stage_;
  // The rows of the last training and what names them: the next one often trains on the same.
  std::string trained_on_;
  std::optional<Dataset> rows_;
};

// Stored bytes or numbers of all rows, [rows, width].
Tensor StoredRows(const Dataset& data);

}  // namespace kwta

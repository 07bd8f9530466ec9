#include "core/research/reproduction/fine_tuned_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/evaluation/stored_classifier.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {
namespace {

constexpr uint64_t kSplitSeed = 1;  // draws the validation rows

v1::JobSpec TuningJob(const Workbench& bench, const Tuning& how, const v1::DatasetRef& rows, int seed) {
  v1::JobSpec job;
  v1::FineTuningSpec& tuning = *job.mutable_fine_tuning();
  if (how.code_dropout.has_value()) tuning.set_code_dropout(*how.code_dropout);
  tuning.set_adversarial_length(how.adversarial_length);
  tuning.set_max_shift(how.max_shift);
  job.mutable_training()->set_learning_rate(how.learning_rate);
  job.mutable_training()->set_seed(seed);
  job.mutable_training()->set_epochs(bench.quick() ? 5 : how.epochs);
  *job.mutable_dataset() = rows;
  return job;
}

// Judges a fine-tuned model on `judged`: {"error": percentage, "seconds", "model"}.
absl::StatusOr<nlohmann::json> Judge(Workbench& bench, const std::string& label, const ModelBundle& tuned,
                                     const Dataset& judged) {
  const nlohmann::json key = {{"tuned", ModelJson(tuned)}, {"judged_rows", judged.rows()}};
  return bench.Once(label, key, [&]() -> absl::StatusOr<nlohmann::json> {
    KWTA_ASSIGN_OR_RETURN(const double error, ClassificationError(tuned, judged, bench.backend()));
    return nlohmann::json{{"error", 100 * error},
                          {"seconds", tuned.description.statistics().train_seconds()},
                          {"model", ModelJson(tuned)}};
  });
}

}  // namespace

absl::StatusOr<nlohmann::json> TuneAndTest(Workbench& bench, const std::string& name, const ModelBundle& model,
                                           const Tuning& how, const Parts& parts, int seed) {
  const auto judge = [&](const char* stage, const v1::DatasetRef& rows,
                         const Dataset& judged) -> absl::StatusOr<nlohmann::json> {
    const std::string label = absl::StrCat(stage, name, how.label);
    KWTA_ASSIGN_OR_RETURN(const ModelBundle tuned, bench.Train(label, TuningJob(bench, how, rows, seed), &model));
    return Judge(bench, label, tuned, judged);
  };
  nlohmann::json result;
  if (seed == 1) {
    KWTA_ASSIGN_OR_RETURN(const nlohmann::json validated, judge("validating: ", parts.fitted, parts.validation));
    result["validation_error"] = validated["error"];
  }
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json tested, judge("testing: ", parts.all, parts.test));
  result["test_error"] = tested["error"];
  result["seconds"] = tested["seconds"];
  result["model"] = tested["model"];
  return result;
}

absl::Status MeasureTunedNetwork(Workbench& bench, const TunedNetwork& network, absl::Span<const Tuning> ways,
                                 const Parts& parts, int seed, size_t first_row, Report* report) {
  KWTA_ASSIGN_OR_RETURN(ModelBundle model, bench.Train(network.first_label, network.job));
  for (int layer = 2; layer <= network.layers; ++layer) {
    v1::JobSpec above = network.job;
    above.clear_preprocessing();
    above.mutable_training()->set_learning_rate(network.job.training().learning_rate() / 10);
    KWTA_ASSIGN_OR_RETURN(model, bench.Train(absl::StrCat(network.label, ", layer ", layer), above, &model));
  }
  for (size_t way = 0; way < ways.size(); ++way) {
    KWTA_ASSIGN_OR_RETURN(nlohmann::json result, TuneAndTest(bench, network.label, model, ways[way], parts, seed));
    Measurement& row = report->tables.back().rows[first_row + way];
    row.values.push_back(result["test_error"]);
    row.details.push_back(std::move(result));
    KWTA_RETURN_IF_ERROR(bench.Publish(report));
  }
  return absl::OkStatus();
}

absl::StatusOr<Parts> LoadParts(const Workbench& bench, const KSparseScale& scale, const std::string& dataset) {
  const v1::DatasetRef all = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.training_rows);
  v1::DatasetRef reference = all;
  reference.set_validation_rows(static_cast<uint32_t>(scale.validation_rows));
  reference.set_split_seed(kSplitSeed);
  if (scale.training_rows > 0) reference.set_max_rows(scale.training_rows - scale.validation_rows);
  const v1::DatasetRef fitted = reference;
  reference.set_split(v1::DATASET_SPLIT_VALIDATION);
  KWTA_ASSIGN_OR_RETURN(Dataset training, bench.Load(all));
  KWTA_ASSIGN_OR_RETURN(Dataset validation, bench.Load(reference));
  KWTA_ASSIGN_OR_RETURN(Dataset test, bench.Load(Part(dataset, v1::DATASET_SPLIT_TEST, scale.test_rows)));
  return Parts{dataset, fitted, all, std::move(training), std::move(validation), std::move(test)};
}

}  // namespace kwta

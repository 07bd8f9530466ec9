#include "core/research/reproduction/classification.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/seconds_since.h"
#include "core/base/status_macros.h"
#include "core/io/datasets/mirror_images.h"

namespace kwta {
namespace {

using Clock = std::chrono::steady_clock;

const char* Name(ProbeLoss loss) { return loss == ProbeLoss::kSoftmax ? "softmax" : "squared hinge"; }

const char* Name(FeatureScaling scaling) {
  switch (scaling) {
    case FeatureScaling::kAsTheyAre:
      return "as they are";
    case FeatureScaling::kCentred:
      return "centred";
    default:
      return "standardised";
  }
}

nlohmann::json ProbeJson(const LinearProbeOptions& probe) {
  return {{"loss", Name(probe.loss)},
          {"scaling", Name(probe.scaling)},
          {"l2", probe.l2},
          {"dropout", probe.dropout},
          {"epochs", probe.epochs},
          {"schedule_epochs", probe.schedule_epochs},
          {"batch_size", probe.batch_size},
          {"learning_rate", probe.learning_rate},
          {"seed", probe.seed}};
}

LinearProbeOptions WithChoice(LinearProbeOptions probe, const nlohmann::json& chosen) {
  probe.l2 = chosen["l2"];
  probe.dropout = chosen["dropout"];
  probe.epochs = chosen["epochs"];
  return probe;
}

int Classes(const std::vector<int32_t>& labels) { return 1 + *std::max_element(labels.begin(), labels.end()); }

// Features of the training rows, with labels.
class TrainingFeatures {
 public:
  // Refers to both arguments. `features` may have more rows than the plan needs.
  TrainingFeatures(const ClassificationPlan& plan, const Tensor& features, const std::vector<int32_t>& labels)
      : views_(plan.mirrored ? 2 : 1),
        rows_(features.rows().Slice(0, views_ * static_cast<int64_t>(labels.size()))),
        labels_(labels) {}

  LabelledFeatures labelled() const { return {&rows_, labels_, Classes(labels_), views_}; }

 private:
  const int views_;
  const DenseFeatures rows_;
  const std::vector<int32_t>& labels_;
};

// Judges one choice of features and probe on validation rows.
absl::StatusOr<nlohmann::json> Validate(Workbench& bench, const ClassificationPlan& plan,
                                        const std::vector<int32_t>& labels, const LinearProbeOptions& probe,
                                        const Tensor& features) {
  const Clock::time_point start = Clock::now();
  const TrainingFeatures training(plan, features, labels);
  KWTA_ASSIGN_OR_RETURN(const ChosenProbe chosen,
                        ChooseProbe(training.labelled(), probe, plan.grid, bench.pool(),
                                    [&](double fraction) { return bench.Advance(fraction); }));
  nlohmann::json result = ProbeJson(chosen.options);
  result["validation_error"] = 100 * chosen.validation_error;
  result["seconds"] = SecondsSince(start);
  return result;
}

absl::StatusOr<nlohmann::json> Test(Workbench& bench, const ClassificationPlan& plan,
                                    const std::vector<int32_t>& labels, const LinearProbeOptions& probe,
                                    const FeatureChoice& choice, const Tensor& features) {
  const Clock::time_point start = Clock::now();
  const TrainingFeatures training(plan, features, labels);
  std::vector<uint32_t> all(labels.size());
  std::iota(all.begin(), all.end(), 0u);
  KWTA_ASSIGN_OR_RETURN(const LinearProbe fitted,
                        LinearProbe::Fit(training.labelled(), all, probe, [&](int epochs_done, const LinearProbe&) {
                          return bench.Advance(static_cast<double>(epochs_done) / probe.epochs);
                        }));
  KWTA_ASSIGN_OR_RETURN(const Tensor test, choice.features(*plan.test));
  const DenseFeatures test_rows(test.rows());
  const std::vector<int32_t> test_labels = plan.test->Labels();
  return nlohmann::json{{"test_error", 100 * fitted.ErrorRate({&test_rows, test_labels, Classes(labels)})},
                        {"seconds", SecondsSince(start)}};
}

}  // namespace

absl::StatusOr<nlohmann::json> Classify(Workbench& bench, const ClassificationPlan& plan) {
  const std::vector<int32_t> labels = plan.training->Labels();
  // Computes features of the training rows when they are first needed, and keeps only the latest.
  KeptFeatures of_this_plan;
  KeptFeatures& kept = plan.kept != nullptr ? *plan.kept : of_this_plan;
  const auto compute = [&](const FeatureChoice& choice) -> absl::Status {
    std::string key =
        nlohmann::json{{"features", plan.key}, {"choice", choice.name}, {"rows", plan.training->rows()}}.dump();
    // Features of mirror images follow those of the images.
    if (kept.features.has_value() && kept.key == key && (kept.mirrored || !plan.mirrored)) return absl::OkStatus();
    kept = {};
    if (plan.mirrored) {
      KWTA_ASSIGN_OR_RETURN(const Dataset images, WithMirrorImages(*plan.training));
      KWTA_ASSIGN_OR_RETURN(kept.features, choice.features(images));
    } else {
      KWTA_ASSIGN_OR_RETURN(kept.features, choice.features(*plan.training));
    }
    kept.key = std::move(key);
    kept.mirrored = plan.mirrored;
    return absl::OkStatus();
  };
  nlohmann::json data = {{"training_rows", plan.training->rows()},
                         {"test_rows", plan.test->rows()},
                         {"validation_rows", plan.grid.validation_rows},
                         {"split_seed", plan.grid.split_seed},
                         {"choose_epochs", plan.grid.choose_epochs},
                         {"l2", plan.grid.l2},
                         {"dropout", plan.grid.dropout}};
  if (plan.mirrored) data["mirrored"] = true;
  nlohmann::json candidates = nlohmann::json::array();
  nlohmann::json best;
  size_t best_choice = 0, best_probe = 0;
  double seconds = 0;
  for (size_t c = 0; c < plan.choices.size(); ++c) {
    const FeatureChoice& choice = plan.choices[c];
    const std::string label = absl::StrCat("classifying ", plan.label, ", ", choice.name);
    for (size_t p = 0; p < plan.probes.size(); ++p) {
      const LinearProbeOptions& probe = plan.probes[p];
      const nlohmann::json key = {
          {"validate", plan.key}, {"features", choice.name}, {"data", data}, {"probe", ProbeJson(probe)}};
      KWTA_ASSIGN_OR_RETURN(nlohmann::json result, bench.Once(label, key, [&]() -> absl::StatusOr<nlohmann::json> {
        KWTA_RETURN_IF_ERROR(compute(choice));
        return Validate(bench, plan, labels, probe, *kept.features);
      }));
      seconds += result["seconds"].get<double>();
      result["features"] = choice.name;
      candidates.push_back(result);
      if (!best.is_null() && best["validation_error"] <= result["validation_error"]) continue;
      best = result;
      best_choice = c;
      best_probe = p;
    }
  }
  const LinearProbeOptions chosen = WithChoice(plan.probes[best_probe], best);
  const FeatureChoice& choice = plan.choices[best_choice];
  const nlohmann::json key = {
      {"test", plan.key}, {"features", choice.name}, {"data", data}, {"probe", ProbeJson(chosen)}};
  KWTA_ASSIGN_OR_RETURN(
      const nlohmann::json tested,
      bench.Once(absl::StrCat("testing ", plan.label, ", ", choice.name), key, [&]() -> absl::StatusOr<nlohmann::json> {
        KWTA_RETURN_IF_ERROR(compute(choice));
        return Test(bench, plan, labels, chosen, choice, *kept.features);
      }));
  nlohmann::json result = best;
  result["test_error"] = tested["test_error"];
  result["seconds"] = seconds + tested["seconds"].get<double>();
  result["mirrored"] = plan.mirrored;
  result["candidates"] = std::move(candidates);
  return result;
}

}  // namespace kwta

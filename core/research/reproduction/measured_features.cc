#include "core/research/reproduction/measured_features.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {

absl::Status MeasureFeatures(Workbench& bench, ClassificationPlan plan, const MeasuredFeatures& row, Report* report) {
  std::vector<Measurement>& rows = report->tables.back().rows;
  rows.push_back({row.name, row.paper});
  for (int seed = 1; seed <= bench.seeds(); ++seed) {
    plan.label = absl::StrCat(row.label, ", seed ", seed);
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train(plan.label, row.job(seed)));
    plan.key = {{"model", ModelJson(model)}};
    plan.choices = row.choices(model);
    KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
    rows.back().values.push_back(result["test_error"]);
    result["model"] = ModelJson(model);
    rows.back().details.push_back(std::move(result));
    if (row.visit) KWTA_RETURN_IF_ERROR(row.visit(model, seed));
    KWTA_RETURN_IF_ERROR(bench.Publish(report));
  }
  return absl::OkStatus();
}

}  // namespace kwta

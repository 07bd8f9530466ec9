// Rows of tables that judge fixed features.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/research/reproduction/classification.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

struct MeasuredFeatures {
  std::string name;   // in the table
  std::string label;  // of its models, which tables share: "k = 25"
  double paper = 0;   // test error, %
  std::function<v1::JobSpec(int seed)> job;
  // The features of a model that compete.
  std::function<std::vector<FeatureChoice>(const ModelBundle&)> choices;
  std::function<absl::Status(const ModelBundle&, int seed)> visit;  // sees each model; may be empty
};

// Adds a row to the report's last table: trains its job for each seed and judges the features by `plan`, whose label,
// key and choices it ignores. Publishes after each seed.
absl::Status MeasureFeatures(Workbench& bench, ClassificationPlan plan, const MeasuredFeatures& row, Report* report);

}  // namespace kwta

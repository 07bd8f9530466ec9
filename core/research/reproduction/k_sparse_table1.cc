// "k-Sparse Autoencoders", table 1: unsupervised features of 1000 units on MNIST, judged by softmax regression; and the
// filters of figure 1.
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/compared_jobs.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/measured_features.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"

namespace kwta {
namespace {

struct KSparseRow {
  uint32_t k;
  double paper;
};
constexpr KSparseRow kRows[] = {{25, 1.35}, {40, 1.54}, {10, 2.10}};
constexpr double kPaperPixels = 7.20;

}  // namespace

absl::Status KSparseTable1(Workbench& bench, Report* report) {
  const KSparseScale scale = KSparseScaleOf(bench);
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  KWTA_ASSIGN_OR_RETURN(const Dataset training, bench.Load(Part(digits, v1::DATASET_SPLIT_TRAIN, scale.training_rows)));
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(digits, v1::DATASET_SPLIT_TEST, scale.test_rows)));
  ClassificationPlan plan = SoftmaxPlan(bench, scale.validation_rows);
  plan.training = &training;
  plan.test = &test;

  report->title = "k-Sparse Autoencoders, table 1";
  report->notes = {absl::StrCat("Unsupervised features of ", scale.units, " units, judged by softmax regression, on ",
                                training.rows(), " training and ", test.rows(), " test images of ", digits,
                                ". alpha, L2, dropout, scaling and epochs of the ", "regression are chosen on ",
                                scale.validation_rows, " of the training images; the test images are looked at once.")};
  report->tables.push_back({"Without fine-tuning", "test error, %", {}});
  std::vector<Measurement>& rows = report->tables.back().rows;

  Measurement pixels{"Raw pixels", kPaperPixels};
  plan.label = "raw pixels";
  plan.key = {{"pixels", digits}};
  plan.choices = PixelChoice();
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json pixel_result, Classify(bench, plan));
  pixels.values = {pixel_result["test_error"]};
  pixels.details = {pixel_result};
  rows.push_back(std::move(pixels));
  KWTA_RETURN_IF_ERROR(bench.Publish(report));

  const size_t first_k_sparse = rows.size();
  for (const KSparseRow& row : kRows) {
    MeasuredFeatures measured;
    measured.name = absl::StrCat("k-sparse autoencoder, k = ", row.k);
    measured.label = absl::StrCat("k = ", row.k);
    measured.paper = row.paper;
    measured.job = [&](int seed) { return KSparseJob(scale, digits, row.k, seed); };
    measured.choices = [&](const ModelBundle& model) { return AlphaChoices(bench, model, scale.alphas); };
    measured.visit = [&](const ModelBundle& model, int seed) -> absl::Status {
      if (seed > 1) return absl::OkStatus();
      KWTA_ASSIGN_OR_RETURN(ReportPicture picture, AtomsPicture(model));
      picture.title = absl::StrCat("Filters, k = ", row.k, " (figure 1)");
      report->pictures.push_back(std::move(picture));
      return absl::OkStatus();
    };
    KWTA_RETURN_IF_ERROR(MeasureFeatures(bench, plan, measured, report));
  }
  const size_t first_compared = rows.size();
  ClassificationPlan compared_plan = ComparedPlan(bench, scale.validation_rows);
  compared_plan.training = &training;
  compared_plan.test = &test;
  for (const ComparedRow& row : ComparedRows()) {
    MeasuredFeatures measured{row.name, row.name, row.paper};
    measured.job = [&](int seed) { return ComparedJob(scale, digits, row.method, seed); };
    measured.choices = [&](const ModelBundle& model) { return CodeChoice(bench, model); };
    KWTA_RETURN_IF_ERROR(MeasureFeatures(bench, compared_plan, measured, report));
  }
  const double pixel_error = rows[0].Mean(), at_25 = rows[first_k_sparse].Mean(),
               at_10 = rows[first_k_sparse + 2].Mean();
  report->claims.push_back({"codes of k = 25 are better than raw pixels", at_25 < pixel_error});
  report->claims.push_back({"k = 25 is better than k = 10", at_25 < at_10});
  if (bench.quick()) return absl::OkStatus();  // so few updates favour the methods that learn fastest
  for (size_t row = first_compared; row < rows.size(); ++row) {
    report->claims.push_back({absl::StrCat("k = 25 is better than the ", rows[row].label), at_25 < rows[row].Mean()});
  }
  return absl::OkStatus();
}

}  // namespace kwta

// "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", table 2: CIFAR-10, contrast-normalised and
// whitened, compared with triangle k-means and a supervised network of the same architecture.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/comparisons.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"
#include "core/research/reproduction/winner_take_all_jobs.h"

namespace kwta {
namespace {

constexpr uint32_t kFullMaps = 512;
constexpr uint32_t kComparedMaps = 64;  // compared with as many maps of other kinds, as in figure 1(c)
constexpr uint32_t kCifarQuickMaps = 8;
// Pooling of width 3 and stride 2: 8x8 becomes 4x4. The paper has 4096 maps on 512 and does not state the filters'
// width.
constexpr uint32_t kMapsBelow = 256;
constexpr WinnerLayer kCifarSecondLayer = {1024, 3, 3, 2, 1};
constexpr uint32_t kCifarSecondLayerEpochs = 1;
constexpr double kMirroredDropout = 0.3;  // twice as many images need less dropout
constexpr double kPaperShallow = 72.7, kPaperKMeans = 77.9, kPaperDeep = 78.1;

// Measures one seed.
using Measure =
    std::function<absl::StatusOr<nlohmann::json>(const ClassificationPlan&, const ModelBundle&, const v1::JobSpec&)>;

double Accuracy(const nlohmann::json& result) { return 100 - result["test_error"].get<double>(); }

}  // namespace

absl::Status WinnerTakeAllTable2(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  report->title = "Winner-take-all convolutional autoencoders, table 2";
  const uint64_t training_rows = quick ? 1500 : 0;
  const uint32_t full = quick ? kCifarQuickMaps : kFullMaps;
  const uint32_t compared = quick ? kCifarQuickMaps : kComparedMaps;
  const absl::StatusOr<Dataset> training = bench.Load(Part("cifar10", v1::DATASET_SPLIT_TRAIN, training_rows));
  if (quick && absl::IsNotFound(training.status())) {
    report->notes.push_back("CIFAR-10 was not there: nothing was measured.");
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(training.status());
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part("cifar10", v1::DATASET_SPLIT_TEST, quick ? 500 : 0)));
  ClassificationPlan plan = WhitenedCifarPlan(bench, full);
  plan.training = &*training;
  plan.test = &test;
  report->notes = {absl::StrCat("Images are contrast-normalised and whitened. ", training->rows(), " training and ",
                                test.rows(), " test images; choices are made on ", plan.grid.validation_rows,
                                " of the training images, and the test images are looked at once.")};

  report->tables.push_back({"CIFAR-10", "test accuracy, %", {}});
  std::vector<Measurement>& rows = report->tables.back().rows;
  plan.label = "raw pixels of CIFAR-10";
  plan.key = {{"pixels", "cifar10"}};
  plan.choices = PixelChoice();
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json pixels, Classify(bench, plan));
  rows.push_back({"Raw pixels", std::nullopt, {Accuracy(pixels)}, {pixels}, ""});
  KWTA_RETURN_IF_ERROR(bench.Publish(report));

  // Finishes one measurement for every seed before the next. If mirrored, it adds a row of results for classifiers that
  // also see the mirror image of each training image.
  const auto measure = [&](uint32_t first, const Measurement& row, bool mirrored,
                           const Measure& measure_seed) -> absl::Status {
    const size_t at = rows.size();
    rows.push_back(row);
    if (mirrored) {
      rows.push_back(row);
      rows.back().label += ", classifier trained on mirror images too";
    }
    for (int seed = 1; seed <= bench.seeds(); ++seed) {
      const v1::JobSpec job = WhitenedCifarJob(bench, first, training_rows, seed);
      plan.label = absl::StrCat("CIFAR-10, ", first, " maps, seed ", seed);
      KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train(plan.label, job));
      plan.kept = std::make_shared<KeptFeatures>();
      const auto add = [&](const ClassificationPlan& of_row, Measurement* measurement) -> absl::Status {
        KWTA_ASSIGN_OR_RETURN(nlohmann::json result, measure_seed(of_row, model, job));
        measurement->values.push_back(Accuracy(result));
        measurement->details.push_back(std::move(result));
        return bench.Publish(report);
      };
      if (mirrored) {  // first, since the other row reuses its features
        ClassificationPlan both = plan;
        both.mirrored = true;
        if (!quick) both.grid.dropout = {kMirroredDropout};
        KWTA_RETURN_IF_ERROR(add(both, &rows[at + 1]));
      }
      KWTA_RETURN_IF_ERROR(add(plan, &rows[at]));
      if (report->pictures.empty()) {
        KWTA_ASSIGN_OR_RETURN(ReportPicture picture, DecoderFiltersPicture(model));
        picture.title = "Decoder filters of whitened CIFAR-10 (figure 1(b))";
        report->pictures.push_back(std::move(picture));
      }
    }
    plan.kept.reset();
    return absl::OkStatus();
  };
  const Measure pooled_maps = [&](const ClassificationPlan& of_seed, const ModelBundle& model,
                                  const v1::JobSpec& /*job*/) { return ClassifyPooledMaps(bench, of_seed, model); };
  const Measure two_layers = [&](const ClassificationPlan& of_seed, const ModelBundle& model, const v1::JobSpec& job) {
    return ClassifySecondLayer(bench, of_seed, model, job, kCifarSecondLayer, kCifarSecondLayerEpochs);
  };
  const std::string maps = absl::StrCat(compared, " maps");
  const std::string shallow = absl::StrCat("Winner-take-all, ", full, " maps");
  KWTA_RETURN_IF_ERROR(measure(full, {shallow, kPaperShallow, {}, nullptr, ""}, true, pooled_maps));
  report->claims.push_back({"winner-take-all maps are better than raw pixels", rows[1].Mean() > rows[0].Mean()});
  if (!quick) {
    const std::string deep = absl::StrCat("Winner-take-all, ", kMapsBelow, " and ", kCifarSecondLayer.maps, " maps");
    const std::string of_paper = "the paper has 512 and 4096 maps";
    KWTA_RETURN_IF_ERROR(measure(kMapsBelow, {deep, kPaperDeep, {}, nullptr, of_paper}, true, two_layers));
    KWTA_RETURN_IF_ERROR(measure(compared, {absl::StrCat("Winner-take-all, ", maps)}, false, pooled_maps));
  }
  KWTA_RETURN_IF_ERROR(measure(
      compared,
      {absl::StrCat("Triangle k-means, ", maps), kPaperKMeans, {}, nullptr, "the paper quotes it with 1600 maps"},
      false, [&](const ClassificationPlan& of_seed, const ModelBundle& /*model*/, const v1::JobSpec& job) {
        return ClassifyTriangleKMeans(bench, of_seed, compared, job.training().seed());
      }));
  return measure(compared, {absl::StrCat("Supervised network, ", maps)}, false,
                 [&](const ClassificationPlan& of_seed, const ModelBundle& model, const v1::JobSpec& job) {
                   return ClassifySupervised(bench, of_seed, model, job.training().seed());
                 });
}

}  // namespace kwta

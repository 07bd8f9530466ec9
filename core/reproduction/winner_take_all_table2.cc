// "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", table 2: CIFAR-10, contrast-normalised and
// whitened; with triangle k-means and a supervised network of the same architecture beside it.
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/reproduction/comparisons.h"
#include "core/reproduction/k_sparse_jobs.h"
#include "core/reproduction/pictures.h"
#include "core/reproduction/recipes.h"
#include "core/reproduction/winner_take_all_jobs.h"

namespace kwta {
namespace {

// Filters of width 9, pooling of width 5 and stride 4: 32x32 gives 8x8 (section 3.2). The paper has 512 maps.
constexpr WinnerLayer kFullLayer = {256, 9, 5, 4, 1};
constexpr WinnerLayer kQuickLayer = {8, 9, 5, 4, 1};
// Pooling of width 3 and stride 2: 8x8 gives 4x4. The paper has 4096 maps and does not state the filters' width.
constexpr WinnerLayer kSecondLayer = {1024, 5, 3, 2, 1};
constexpr uint32_t kSecondLayerEpochs = 5;
constexpr double kPaperShallow = 72.7, kPaperKMeans = 77.9, kPaperDeep = 78.1;

double Accuracy(const nlohmann::json& result) { return 100 - result["test_error"].get<double>(); }

}  // namespace

absl::Status WinnerTakeAllTable2(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  report->title = "Winner-take-all convolutional autoencoders, table 2";
  const uint64_t training_rows = quick ? 1500 : 0;
  const WinnerLayer layer = quick ? kQuickLayer : kFullLayer;
  const absl::StatusOr<Dataset> training = bench.Load(Part("cifar10", v1::DATASET_SPLIT_TRAIN, training_rows));
  if (quick && absl::IsNotFound(training.status())) {
    report->notes.push_back("CIFAR-10 was not there: nothing was measured.");
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(training.status());
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part("cifar10", v1::DATASET_SPLIT_TEST, quick ? 500 : 0)));
  ClassificationPlan plan = PooledMapsPlan(bench, quick ? 300 : 5000);
  plan.training = &*training;
  plan.test = &test;
  report->notes = {absl::StrCat("Images are contrast-normalised and whitened. ", training->rows(), " training and ",
                                test.rows(), " test images; choices are made on ", plan.grid.validation_rows,
                                " of the training images, and the test images are looked at once.")};

  ReportTable table{"CIFAR-10", "test accuracy, %", {}};
  plan.label = "raw pixels of CIFAR-10";
  plan.key = {{"pixels", "cifar10"}};
  plan.choices = PixelChoice();
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json pixels, Classify(bench, plan));
  table.rows.push_back({"Raw pixels", std::nullopt, {Accuracy(pixels)}, {pixels}, ""});
  Measurement shallow{absl::StrCat("Winner-take-all, ", layer.maps, " maps"), kPaperShallow};
  shallow.note = "the paper has 512 maps";
  Measurement deep{absl::StrCat("Winner-take-all, ", layer.maps, " and ", kSecondLayer.maps, " maps"), kPaperDeep};
  deep.note = "the paper has 512 and 4096 maps";
  Measurement clusters{absl::StrCat("Triangle k-means, ", layer.maps, " maps"), kPaperKMeans};
  clusters.note = "the paper quotes it with 1600 maps";
  Measurement supervised{absl::StrCat("Supervised network, ", layer.maps, " maps")};
  for (int seed = 1; seed <= bench.seeds(); ++seed) {
    v1::JobSpec job = WinnerJob(bench, layer, "cifar10", training_rows, quick ? 3 : 10, seed);
    AddWhitening(&job);
    const std::string label = absl::StrCat("CIFAR-10, ", layer.maps, " maps, seed ", seed);
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train(label, job));
    plan.label = label;
    plan.key = {{"model", ModelJson(model)}};
    plan.choices = {PooledMaps(bench, "pooled maps", model)};
    KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
    shallow.values.push_back(Accuracy(result));
    result["model"] = ModelJson(model);
    shallow.details.push_back(std::move(result));
    if (!quick) {
      KWTA_ASSIGN_OR_RETURN(nlohmann::json on_top,
                            ClassifySecondLayer(bench, plan, model, job, kSecondLayer, kSecondLayerEpochs));
      deep.values.push_back(Accuracy(on_top));
      deep.details.push_back(std::move(on_top));
    }
    KWTA_ASSIGN_OR_RETURN(const nlohmann::json by_clusters, ClassifyTriangleKMeans(bench, plan, layer.maps, seed));
    clusters.values.push_back(Accuracy(by_clusters));
    clusters.details.push_back(by_clusters);
    KWTA_ASSIGN_OR_RETURN(const nlohmann::json by_labels, ClassifySupervised(bench, plan, model, seed));
    supervised.values.push_back(Accuracy(by_labels));
    supervised.details.push_back(by_labels);
    if (seed > 1) continue;
    KWTA_ASSIGN_OR_RETURN(ReportPicture picture, DecoderFiltersPicture(model));
    picture.title = "Decoder filters of whitened CIFAR-10 (figure 1(b))";
    report->pictures.push_back(std::move(picture));
  }
  report->claims.push_back({"winner-take-all maps are better than raw pixels", shallow.Mean() > table.rows[0].Mean()});
  table.rows.push_back(std::move(shallow));
  if (!deep.values.empty()) table.rows.push_back(std::move(deep));
  table.rows.push_back(std::move(clusters));
  table.rows.push_back(std::move(supervised));
  report->tables.push_back(std::move(table));
  return absl::OkStatus();
}

}  // namespace kwta

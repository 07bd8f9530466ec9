// "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", table 1: MNIST.
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/reproduction/k_sparse_jobs.h"
#include "core/reproduction/pictures.h"
#include "core/reproduction/recipes.h"
#include "core/reproduction/winner_take_all_jobs.h"

namespace kwta {
namespace {

// Filters of width 7, pooling of width 5 and stride 3: 28x28 gives 10x10 (section 3.1).
constexpr WinnerLayer kFirstLayer = {16, 7, 5, 3, 2};
// On 128 maps; pooling of width 3 and stride 2: 10x10 gives 5x5. The paper does not state the filters' width.
constexpr WinnerLayer kSecondLayer = {2048, 5, 3, 2, 1};
constexpr uint32_t kSecondLayerEpochs = 5;

enum class Sparsity { kWinnerTakeAll, kNone, kTopFour, kAcrossMaps, kTied };

struct Row {
  const char* label;
  std::optional<double> paper;
  uint32_t maps;
  Sparsity sparsity;
  std::vector<uint32_t> epochs;  // of which validation rows choose
  bool in_quick_runs;
};

std::vector<Row> Rows() {
  return {
      {"Winner-take-all, 16 maps", 1.15, 16, Sparsity::kWinnerTakeAll, {3, 5, 10}, true},
      {"Winner-take-all, 128 maps", 0.64, 128, Sparsity::kWinnerTakeAll, {15, 30}, false},
      {"No sparsity, 16 maps", std::nullopt, 16, Sparsity::kNone, {5}, true},
      {"Four winners a map, 16 maps", std::nullopt, 16, Sparsity::kTopFour, {5}, false},
      {"16 winners across 16 maps", std::nullopt, 16, Sparsity::kAcrossMaps, {5}, false},
      {"Tied weights, 16 maps", std::nullopt, 16, Sparsity::kTied, {5}, false},
  };
}

void SetSparsity(Sparsity sparsity, v1::WinnerTakeAllSpec* encoder) {
  switch (sparsity) {
    case Sparsity::kWinnerTakeAll:
      return;
    case Sparsity::kNone:
      encoder->set_sparsity(v1::WINNER_SPARSITY_NONE);
      return;
    case Sparsity::kTopFour:
      encoder->set_winners(4);
      return;
    case Sparsity::kAcrossMaps:
      encoder->set_sparsity(v1::WINNER_SPARSITY_ACROSS_MAPS);
      return;
    case Sparsity::kTied:
      encoder->set_tied_weights(true);
      return;
  }
}

}  // namespace

absl::Status WinnerTakeAllTable1(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  const uint64_t training_rows = quick ? 3000 : 0, test_rows = quick ? 2000 : 0;
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  KWTA_ASSIGN_OR_RETURN(const Dataset training, bench.Load(Part(digits, v1::DATASET_SPLIT_TRAIN, training_rows)));
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(digits, v1::DATASET_SPLIT_TEST, test_rows)));
  ClassificationPlan plan = PooledMapsPlan(bench, quick ? 750 : 10'000);
  plan.training = &training;
  plan.test = &test;
  report->title = "Winner-take-all convolutional autoencoders, table 1";
  report->notes = {absl::StrCat(
      "Pooled maps judged by softmax regression, on ", training.rows(), " training and ", test.rows(),
      " test images of ", digits, ". Epochs of the encoder, L2 and epochs of the regression are chosen on ",
      plan.grid.validation_rows, " of the training images; the test images are looked at once.")};
  if (quick) report->notes.push_back("This quick run has 8 maps where a row says 16.");

  ReportTable table{"Unsupervised features", "test error, %", {}};
  plan.label = "raw pixels";
  plan.key = {{"pixels", digits}};
  plan.choices = PixelChoice();
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json pixels, Classify(bench, plan));
  table.rows.push_back({"Raw pixels", std::nullopt, {pixels["test_error"]}, {pixels}, ""});

  double winners = 0, no_sparsity = 0;
  Measurement deep{"Winner-take-all, 128 and 2048 maps", 0.48};
  for (const Row& row : Rows()) {
    if (quick && !row.in_quick_runs) continue;
    Measurement measurement{row.label, row.paper};
    for (int seed = 1; seed <= bench.seeds(); ++seed) {
      std::vector<ModelBundle> models;
      plan.choices.clear();
      plan.key = {{"models", nlohmann::json::array()}};
      plan.label = absl::StrCat(row.label, ", seed ", seed);
      WinnerLayer layer = kFirstLayer;
      layer.maps = quick ? 8 : row.maps;
      v1::JobSpec job;
      for (const uint32_t epochs : quick ? std::vector<uint32_t>{5} : row.epochs) {
        job = WinnerJob(bench, layer, digits, training_rows, epochs, seed);
        SetSparsity(row.sparsity, job.mutable_encoder()->mutable_winner_take_all());
        KWTA_ASSIGN_OR_RETURN(ModelBundle model, bench.Train(absl::StrCat(plan.label, ", ", epochs, " epochs"), job));
        plan.key["models"].push_back(ModelJson(model));
        models.push_back(std::move(model));
      }
      for (const ModelBundle& model : models) {
        plan.choices.push_back(
            PooledMaps(bench, absl::StrCat(model.description.training().epochs(), " epochs"), model));
      }
      KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
      measurement.values.push_back(result["test_error"]);
      result["models"] = plan.key["models"];
      measurement.details.push_back(std::move(result));
      if (row.maps == 128) {
        KWTA_ASSIGN_OR_RETURN(nlohmann::json on_top,
                              ClassifySecondLayer(bench, plan, models.back(), job, kSecondLayer, kSecondLayerEpochs));
        deep.values.push_back(on_top["test_error"]);
        deep.details.push_back(std::move(on_top));
      }
      if (seed > 1) continue;
      KWTA_ASSIGN_OR_RETURN(ReportPicture picture, DecoderFiltersPicture(models.front()));
      picture.title = absl::StrCat("Decoder filters: ", row.label);
      report->pictures.push_back(std::move(picture));
    }
    if (row.maps == 16 && row.sparsity == Sparsity::kWinnerTakeAll) winners = measurement.Mean();
    if (row.sparsity == Sparsity::kNone) no_sparsity = measurement.Mean();
    table.rows.push_back(std::move(measurement));
  }
  if (!deep.values.empty()) table.rows.insert(table.rows.begin() + 3, std::move(deep));
  report->claims.push_back({"winner-take-all maps are better than raw pixels", winners < table.rows[0].Mean()});
  // The paper speaks of digits. Of clothes, which are all surface, filters without sparsity tell much.
  if (digits == "mnist") {
    report->claims.push_back({"winner-take-all is better than no sparsity", winners < no_sparsity});
  }
  report->tables.push_back(std::move(table));
  return absl::OkStatus();
}

}  // namespace kwta

// "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", table 1: MNIST.
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"
#include "core/research/reproduction/winner_take_all_jobs.h"

namespace kwta {
namespace {

// Filters of width 7, pooling of width 5 and stride 3: 28x28 becomes 10x10 (section 3.1).
constexpr WinnerLayer kFirstLayer = {16, 7, 5, 3, 2};
// On 128 maps; pooling of width 3 and stride 2: 10x10 becomes 5x5. The paper does not state the filters' width.
constexpr WinnerLayer kMnistSecondLayer = {2048, 3, 3, 2, 1};
constexpr uint32_t kMnistSecondLayerEpochs = 1;
constexpr uint32_t kBelow = 128;         // maps of the layer below
constexpr uint32_t kMnistQuickMaps = 8;  // in one layer

enum class Sparsity { kWinnerTakeAll, kNone, kTopFour, kAcrossMaps, kTied };

struct MnistRow {
  const char* label;
  std::optional<double> paper;
  uint32_t maps;
  Sparsity sparsity;
  uint32_t epochs;
  bool in_quick_runs;
};

std::vector<MnistRow> Rows() {
  return {
      {"Winner-take-all, 16 maps", 1.15, 16, Sparsity::kWinnerTakeAll, 5, true},
      {"Winner-take-all, 128 maps", 0.64, 128, Sparsity::kWinnerTakeAll, 30, false},
      {"Four winners a map, 16 maps", std::nullopt, 16, Sparsity::kTopFour, 5, false},
      {"16 winners across 16 maps", std::nullopt, 16, Sparsity::kAcrossMaps, 5, false},
      {"Tied weights, 16 maps", std::nullopt, 16, Sparsity::kTied, 5, false},
      {"No sparsity, 16 maps", std::nullopt, 16, Sparsity::kNone, 5, true},
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

v1::JobSpec JobOf(const Workbench& bench, const MnistRow& row, const std::string& digits, uint64_t training_rows,
                  int seed) {
  WinnerLayer layer = kFirstLayer;
  layer.maps = bench.quick() ? kMnistQuickMaps : row.maps;
  v1::JobSpec job = WinnerJob(bench, layer, digits, training_rows, row.epochs, seed);
  SetSparsity(row.sparsity, job.mutable_encoder()->mutable_winner_take_all());
  return job;
}

}  // namespace

absl::Status WinnerTakeAllTable1(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  const uint64_t training_rows = quick ? 3000 : 0, test_rows = quick ? 2000 : 0;
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  KWTA_ASSIGN_OR_RETURN(const Dataset training, bench.Load(Part(digits, v1::DATASET_SPLIT_TRAIN, training_rows)));
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(digits, v1::DATASET_SPLIT_TEST, test_rows)));
  const auto plan_for = [&](uint32_t maps) {
    ClassificationPlan plan = PooledMapsPlan(bench, quick ? 750 : 10'000, maps);
    plan.training = &training;
    plan.test = &test;
    return plan;
  };
  ClassificationPlan plan = plan_for(kBelow);
  report->title = "Winner-take-all convolutional autoencoders, table 1";
  report->notes = {absl::StrCat("Pooled maps judged by softmax regression, on ", training.rows(), " training and ",
                                test.rows(), " test images of ", digits, ". The regression's L2 is chosen on ",
                                plan.grid.validation_rows,
                                " of the training images; the test images are looked at once.")};
  if (quick)
    report->notes.push_back(absl::StrCat("This quick run has ", kMnistQuickMaps, " maps where a row says 16."));

  report->tables.push_back({"Unsupervised features", "test error, %", {}});
  std::vector<Measurement>& table = report->tables.back().rows;
  plan.label = "raw pixels";
  plan.key = {{"pixels", digits}};
  plan.choices = PixelChoice();
  KWTA_ASSIGN_OR_RETURN(const nlohmann::json pixels, Classify(bench, plan));
  table.push_back({"Raw pixels", std::nullopt, {pixels["test_error"]}, {pixels}, ""});

  KWTA_RETURN_IF_ERROR(bench.Publish(report));

  double winners = 0, no_sparsity = 0;
  for (const MnistRow& row : Rows()) {
    if (quick && !row.in_quick_runs) continue;
    plan = plan_for(row.maps);
    table.push_back({row.label, row.paper});
    for (int seed = 1; seed <= bench.seeds(); ++seed) {
      const v1::JobSpec job = JobOf(bench, row, digits, training_rows, seed);
      plan.label = absl::StrCat(row.label, ", seed ", seed);
      KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train(plan.label, job));
      KWTA_ASSIGN_OR_RETURN(nlohmann::json result, ClassifyPooledMaps(bench, plan, model));
      table.back().values.push_back(result["test_error"]);
      table.back().details.push_back(std::move(result));
      if (seed == 1) {
        KWTA_ASSIGN_OR_RETURN(ReportPicture picture, DecoderFiltersPicture(model));
        picture.title = absl::StrCat("Decoder filters: ", row.label);
        report->pictures.push_back(std::move(picture));
      }
      KWTA_RETURN_IF_ERROR(bench.Publish(report));
    }
    if (row.maps == 16 && row.sparsity == Sparsity::kWinnerTakeAll) winners = table.back().Mean();
    if (row.sparsity == Sparsity::kNone) no_sparsity = table.back().Mean();
    if (row.maps != kBelow) continue;
    table.push_back({absl::StrCat("Winner-take-all, ", row.maps, " and ", kMnistSecondLayer.maps, " maps"), 0.48});
    for (int seed = 1; seed <= bench.seeds(); ++seed) {
      const v1::JobSpec job = JobOf(bench, row, digits, training_rows, seed);
      plan.label = absl::StrCat(row.label, ", seed ", seed);
      KWTA_ASSIGN_OR_RETURN(const ModelBundle first, bench.Train(plan.label, job));
      KWTA_ASSIGN_OR_RETURN(nlohmann::json result,
                            ClassifySecondLayer(bench, plan, first, job, kMnistSecondLayer, kMnistSecondLayerEpochs));
      table.back().values.push_back(result["test_error"]);
      table.back().details.push_back(std::move(result));
      KWTA_RETURN_IF_ERROR(bench.Publish(report));
    }
  }
  report->claims.push_back({"winner-take-all maps are better than raw pixels", winners < table[0].Mean()});
  // The paper's claim is about digits. Clothes are all surface, and filters without sparsity tell much about them.
  if (digits == "mnist") {
    report->claims.push_back({"winner-take-all is better than no sparsity", winners < no_sparsity});
  }
  return absl::OkStatus();
}

}  // namespace kwta

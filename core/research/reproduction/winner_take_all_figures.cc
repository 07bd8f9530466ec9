// "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", figures 1(c), 2(b) and 3.
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/encoders/winner_take_all.h"
#include "core/research/reproduction/comparisons.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"
#include "core/research/reproduction/winner_maps.h"
#include "core/research/reproduction/winner_take_all_jobs.h"

namespace kwta {
namespace {

constexpr WinnerLayer kDigits = {16, 7, 5, 3, 2};

// Shows the 16 maps of one image during training, with the sparsity off, and pooled.
absl::Status Maps(Workbench& bench, const ModelBundle& model, const Dataset& test, Report* report) {
  const v1::WinnerTakeAllSpec& spec = model.description.encoder().winner_take_all();
  const ImageBatch image = ImagesOf(spec, 1);
  const int64_t maps = spec.maps();
  KWTA_ASSIGN_OR_RETURN(const WinnerMaps made, MapsOfImage(model, test.row(0), *bench.backend()));
  const struct {
    const char* title;
    const std::vector<float>& values;
    int64_t count;
    Shape shape;
  } pictures[] = {
      {"An input (winner-take-all, figure 3(a))", made.input, 1, {image.channels, image.height, image.width}},
      {"Its maps while training: one winner each (figure 3(c))", made.winners, maps, {1, image.height, image.width}},
      {"Its maps with the sparsity off (figure 3(d))", made.open, maps, {1, image.height, image.width}},
      {"Its maps after max-pooling (figure 3(e))", made.pooled, maps, {1, PooledShape(spec)[1], PooledShape(spec)[2]}},
  };
  for (const auto& shown : pictures) {
    KWTA_ASSIGN_OR_RETURN(ReportPicture picture, FiltersPicture(shown.values.data(), shown.count, shown.shape, 3));
    picture.title = shown.title;
    report->pictures.push_back(std::move(picture));
  }
  return absl::OkStatus();
}

// Figure 1(c): accuracy on whitened CIFAR-10 against the number of maps.
absl::Status AccuracyByMaps(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  const uint64_t training_rows = quick ? 1500 : 0;
  const absl::StatusOr<Dataset> training = bench.Load(Part("cifar10", v1::DATASET_SPLIT_TRAIN, training_rows));
  if (quick && absl::IsNotFound(training.status())) {
    report->notes.push_back("CIFAR-10 was not there: no accuracy by the number of maps (figure 1(c)).");
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(training.status());
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part("cifar10", v1::DATASET_SPLIT_TEST, quick ? 500 : 0)));
  Series winners{"winner-take-all, whitened", {}, {}}, clusters{"triangle k-means, whitened", {}, {}};
  for (const uint32_t maps :
       quick ? std::vector<uint32_t>{4, 8} : std::vector<uint32_t>{8, 16, 32, 64, 128, 256, 512}) {
    ClassificationPlan plan = WhitenedCifarPlan(bench, maps);
    plan.training = &*training;
    plan.test = &test;
    plan.label = absl::StrCat("CIFAR-10, ", maps, " maps, seed 1");
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model,
                          bench.Train(plan.label, WhitenedCifarJob(bench, maps, training_rows, 1)));
    KWTA_ASSIGN_OR_RETURN(const nlohmann::json result, ClassifyPooledMaps(bench, plan, model));
    winners.x.push_back(maps);
    winners.y.push_back(100 - result["test_error"].get<double>());
    KWTA_ASSIGN_OR_RETURN(const nlohmann::json other, ClassifyTriangleKMeans(bench, plan, maps, 1));
    clusters.x.push_back(maps);
    clusters.y.push_back(100 - other["test_error"].get<double>());
  }
  ReportTable table{"CIFAR-10 by the number of maps (figure 1(c))", "test accuracy, %", {}};
  for (size_t i = 0; i < winners.x.size(); ++i) {
    table.rows.push_back(
        {absl::StrCat("winner-take-all, ", winners.x[i], " maps"), std::nullopt, {winners.y[i]}, nullptr, ""});
    table.rows.push_back(
        {absl::StrCat("triangle k-means, ", clusters.x[i], " maps"), std::nullopt, {clusters.y[i]}, nullptr, ""});
  }
  report->tables.push_back(std::move(table));
  report->pictures.push_back(LineChart("Accuracy on CIFAR-10 by the number of maps (winner-take-all, figure 1(c))", "",
                                       {"maps", true}, {"test accuracy, %"}, {winners, clusters}));
  return absl::OkStatus();
}

}  // namespace

absl::Status Figures(Workbench& bench, Report* report) {
  report->title = "Figures of both papers";
  KWTA_RETURN_IF_ERROR(KSparseFigures(bench, report));
  const uint64_t training_rows = bench.quick() ? 3000 : 0;
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(digits, v1::DATASET_SPLIT_TEST, 1)));
  v1::JobSpec job = WinnerJob(bench, kDigits, digits, training_rows, 5, 1);
  KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train("Winner-take-all, 16 maps, seed 1", job));
  KWTA_ASSIGN_OR_RETURN(ReportPicture picture, DecoderFiltersPicture(model));
  picture.title = "Decoder filters of 16 maps (winner-take-all, figure 3(b))";
  report->pictures.push_back(std::move(picture));
  KWTA_RETURN_IF_ERROR(Maps(bench, model, test, report));
  job.mutable_encoder()->mutable_winner_take_all()->set_sparsity(v1::WINNER_SPARSITY_NONE);
  KWTA_ASSIGN_OR_RETURN(const ModelBundle free_model, bench.Train("No sparsity, 16 maps, seed 1", job));
  KWTA_ASSIGN_OR_RETURN(ReportPicture free_picture, DecoderFiltersPicture(free_model));
  free_picture.title = "Decoder filters without sparsity (winner-take-all, figure 2(b))";
  report->pictures.push_back(std::move(free_picture));
  return AccuracyByMaps(bench, report);
}

}  // namespace kwta

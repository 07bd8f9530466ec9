#include "core/research/reproduction/regulariser_figure.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {
namespace {

Scale ScaleOf(const Workbench& bench) {
  if (bench.quick()) return {200, 8, 50, 2000, {0, 0.01f, 0.25f, 1}, {0.001f, 0.003f}};
  Scale scale{1000, 50, 50, 50'000, {0, 0.001f}, {0.001f, 0.002f, 0.005f}};
  for (int tenths = 1; tenths <= 10; ++tenths) scale.sigma2.push_back(static_cast<float>(tenths * tenths) / 100);
  return scale;
}

}  // namespace

v1::JobSpec PanelJob(const Scale& scale, const Panel& panel, const std::string& dataset, float rate, uint64_t seed) {
  v1::JobSpec job;
  v1::RegularisedSpec& encoder = *job.mutable_encoder()->mutable_regularised();
  encoder.set_units(scale.units);
  encoder.set_activation(panel.activation);
  encoder.set_unit_length(panel.unit_length);
  v1::PreprocessingSpec& preprocessing = *job.mutable_preprocessing();
  if (panel.patches) {
    v1::RandomPatchesStep& patches = *preprocessing.add_steps()->mutable_random_patches();
    patches.set_size(8);
    patches.set_patches(static_cast<uint32_t>(scale.rows));
    preprocessing.add_steps()->mutable_standardise();
  } else {
    preprocessing.add_steps()->mutable_standardise()->set_constant(0.1f);  // the paper's second footnote
  }
  preprocessing.set_subtract_mean(false);  // it is zero
  v1::TrainingSpec& training = *job.mutable_training();
  training.set_epochs(scale.epochs);
  training.set_batch_size(scale.batch);
  training.set_learning_rate(rate);
  training.set_final_learning_rate(rate);
  training.set_seed(seed);
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.rows);
  return job;
}

std::string Curve::Text() const {
  std::string text;
  for (const double each : fraction) absl::StrAppend(&text, text.empty() ? "" : ", ", absl::StrFormat("%.3f", each));
  return text;
}

Figure::Figure(Workbench& bench, Report* report) : bench_(bench), report_(report), scale_(ScaleOf(bench)) {}

absl::StatusOr<std::vector<Curve>> Figure::Measure(const Panel& panel, const std::vector<Regulariser>& regularisers) {
  KWTA_ASSIGN_OR_RETURN(const std::string dataset, panel.patches ? std::string("cifar10") : bench_.Digits());
  KWTA_ASSIGN_OR_RETURN(const float rate, ChooseRate(panel, dataset));
  report_->tables.push_back({absl::StrFormat("%s, rate %g", panel.name, rate), "average activation fraction", {}});
  const size_t table = report_->tables.size() - 1;
  std::vector<Curve> curves;
  for (const Regulariser& regulariser : regularisers) {
    Curve curve{regulariser.name, {}, {}, {}};
    for (const float sigma2 : scale_.sigma2) {
      Measurement row{absl::StrFormat("%s, sigma^2 = %g", regulariser.name, sigma2), std::nullopt};
      double dead = 0;
      for (int seed = 1; seed <= bench_.seeds(); ++seed) {
        KWTA_ASSIGN_OR_RETURN(const std::optional<Point> point, Train(panel, dataset, regulariser, sigma2, rate, seed));
        if (!point) {
          row.note = "training diverged";
          continue;
        }
        row.values.push_back(point->fraction);
        row.details.push_back({{"seed", seed}, {"dead_fraction", point->dead}, {"loss", point->loss}, {"rate", rate}});
        dead += point->dead;
      }
      if (!row.values.empty()) {
        curve.sigma2.push_back(sigma2);
        curve.fraction.push_back(row.Mean());
        curve.dead.push_back(dead / static_cast<double>(row.values.size()));
        absl::StrAppend(&row.note, absl::StrFormat("%.1f%% dead", 100 * curve.dead.back()));
      }
      report_->tables[table].rows.push_back(std::move(row));
      KWTA_RETURN_IF_ERROR(bench_.Publish(report_));
    }
    if (curve.fraction.size() < 2) {
      return absl::FailedPreconditionError(
          absl::StrCat(panel.name, ": training of ", regulariser.name, " diverged nearly everywhere"));
    }
    curves.push_back(std::move(curve));
  }
  Draw(panel, curves);
  return curves;
}

absl::StatusOr<std::vector<Panel>> Figure::Panels(v1::Activation activation, bool unit_length) {
  const char* const activation_name = activation == v1::ACTIVATION_RELU      ? "ReLU"
                                      : activation == v1::ACTIVATION_SIGMOID ? "sigmoid"
                                                                             : "softplus";
  const std::string weights = unit_length ? "unit length" : "free length";
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench_.Digits());
  std::vector<Panel> panels = {
      {absl::StrCat(digits, ", ", activation_name, ", ", weights), false, activation, unit_length}};
  if (!bench_.quick()) {
    panels.push_back(
        {absl::StrCat("patches of CIFAR-10, ", activation_name, ", ", weights), true, activation, unit_length});
  }
  return panels;
}

absl::StatusOr<float> Figure::ChooseRate(const Panel& panel, const std::string& dataset) {
  float best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const float rate : scale_.rates) {
    KWTA_ASSIGN_OR_RETURN(const std::optional<Point> point, Train(panel, dataset, kDae, 0, rate, 1));
    if (!point || point->loss >= least) continue;
    least = point->loss;
    best = rate;
  }
  if (best > 0) return best;
  return absl::FailedPreconditionError(absl::StrCat(panel.name, ": training diverged at every rate"));
}

absl::StatusOr<std::optional<Figure::Point>> Figure::Train(const Panel& panel, const std::string& dataset,
                                                           const Regulariser& regulariser, float sigma2, float rate,
                                                           uint64_t seed) {
  v1::JobSpec job = PanelJob(scale_, panel, dataset, rate, seed);
  // All regularisers start from the same autoencoder at 0.
  (sigma2 == 0 ? kDae : regulariser).set(sigma2, job.mutable_encoder()->mutable_regularised());
  const std::string label =
      absl::StrFormat("%s, %s, sigma^2 = %g, rate %g, seed %d", panel.name, regulariser.name, sigma2, rate, seed);
  const absl::StatusOr<ModelBundle> model = bench_.Train(label, job);
  if (absl::IsFailedPrecondition(model.status())) return std::optional<Point>();
  KWTA_RETURN_IF_ERROR(model.status());
  const v1::TrainingStatistics& statistics = model->description.statistics();
  Point point;
  point.loss = statistics.loss();
  point.dead = static_cast<double>(statistics.dead_units()) / scale_.units;
  point.fraction = statistics.activation_fraction();
  return std::optional<Point>(point);
}

void Figure::Draw(const Panel& panel, const std::vector<Curve>& curves) {
  std::vector<Series> fractions, dead;
  for (const Curve& curve : curves) {
    fractions.push_back({curve.name, curve.sigma2, curve.fraction});
    dead.push_back({curve.name, curve.sigma2, curve.dead});
  }
  report_->pictures.push_back({panel.name, "Average activation fraction, equation (14).", "",
                               LineChart("sigma^2", "activation fraction", fractions, false, false)});
  report_->pictures.push_back({panel.name, "Units that no row of the last epoch activates.", "",
                               LineChart("sigma^2", "fraction of dead units", dead, false, false)});
}

}  // namespace kwta

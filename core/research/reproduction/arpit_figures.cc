// "Why Regularized Auto-Encoders Learn Sparse Representation?", figures 1 to 5: the average activation fraction and the
// dead units of each regulariser as sigma^2 grows; and theorem 3 in numbers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/regularised.h"
#include "core/evaluation/activation_statistics.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/preprocessor.h"
#include "core/research/reproduction/denoising_expansion.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"

namespace kwta {
namespace {

// SAE needs a limit for activities that are not bounded.
constexpr float kActivityLimit = 0.9f;

struct Regulariser {
  const char* name;
  void (*set)(float sigma2, v1::RegularisedSpec* spec);
};
constexpr Regulariser kDae = {"DAE", [](float sigma2, v1::RegularisedSpec* spec) { spec->set_gaussian_noise(sigma2); }};
constexpr Regulariser kEdae = {"eDAE",
                               [](float sigma2, v1::RegularisedSpec* spec) { spec->set_first_order_noise(sigma2); }};
constexpr Regulariser kCae = {"CAE", [](float sigma2, v1::RegularisedSpec* spec) { spec->set_contraction(sigma2); }};
constexpr Regulariser kMdae = {"mDAE",
                               [](float sigma2, v1::RegularisedSpec* spec) { spec->set_marginalised_noise(sigma2); }};
constexpr Regulariser kSae = {"SAE", [](float sigma2, v1::RegularisedSpec* spec) {
                                spec->set_sparse_penalty(sigma2);
                                spec->set_activity_limit(kActivityLimit);
                              }};

struct Scale {
  uint32_t units, epochs, batch;
  uint64_t rows;
  std::vector<float> sigma2, rates;
};

Scale ScaleOf(const Workbench& bench) {
  if (bench.quick()) return {200, 8, 50, 2000, {0, 0.01f, 0.25f, 1}, {0.001f, 0.003f}};
  Scale scale{1000, 50, 50, 50'000, {0, 0.001f}, {0.001f, 0.002f, 0.005f}};
  for (int tenths = 1; tenths <= 10; ++tenths) scale.sigma2.push_back(static_cast<float>(tenths * tenths) / 100);
  return scale;
}

// One panel of a figure: a data set and an activation.
struct Panel {
  std::string name;
  bool patches;
  v1::Activation activation;
  bool unit_length;
};

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

// The result of one training; none if it diverged.
struct Point {
  double fraction = 0, dead = 0, loss = 0;
};
using OptionalPoint = std::optional<Point>;

// The points of a regulariser over sigma^2, averaged over seeds.
struct Curve {
  std::string name;
  std::vector<double> sigma2, fraction, dead;

  double Largest() const { return *std::max_element(fraction.begin(), fraction.end()); }
  double Least() const { return *std::min_element(fraction.begin(), fraction.end()); }
  bool Falls() const { return fraction.size() > 1 && fraction.back() < fraction.front(); }
  bool Monotone() const {
    return std::is_sorted(fraction.begin(), fraction.end()) || std::is_sorted(fraction.rbegin(), fraction.rend());
  }
  // "0.31, 0.25, 0.12".
  std::string Text() const {
    std::string text;
    for (const double each : fraction) absl::StrAppend(&text, text.empty() ? "" : ", ", absl::StrFormat("%.3f", each));
    return text;
  }
};

// Computes one figure.
class Figure {
 public:
  Figure(Workbench& bench, Report* report) : bench_(bench), report_(report), scale_(ScaleOf(bench)) {}

  const Scale& scale() const { return scale_; }

  // Trains and measures a panel; its curves in the order of `regularisers`.
  absl::StatusOr<std::vector<Curve>> Measure(const Panel& panel, const std::vector<Regulariser>& regularisers) {
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
          KWTA_ASSIGN_OR_RETURN(const OptionalPoint point, Train(panel, dataset, regulariser, sigma2, rate, seed));
          if (!point) {
            row.note = "training diverged";
            continue;
          }
          row.values.push_back(point->fraction);
          row.details.push_back(
              {{"seed", seed}, {"dead_fraction", point->dead}, {"loss", point->loss}, {"rate", rate}});
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

  // A panel of each data set that is there: MNIST, and patches of CIFAR-10, without which a full run fails.
  absl::StatusOr<std::vector<Panel>> Panels(v1::Activation activation, bool unit_length) {
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

  void AddClaim(const Panel& panel, const std::string& text, bool holds) {
    report_->claims.push_back({absl::StrCat(panel.name, ": ", text), holds});
  }

 private:
  // The rate with which a plain autoencoder has the least training loss.
  absl::StatusOr<float> ChooseRate(const Panel& panel, const std::string& dataset) {
    float best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (const float rate : scale_.rates) {
      KWTA_ASSIGN_OR_RETURN(const OptionalPoint point, Train(panel, dataset, kDae, 0, rate, 1));
      if (!point || point->loss >= least) continue;
      least = point->loss;
      best = rate;
    }
    if (best > 0) return best;
    return absl::FailedPreconditionError(absl::StrCat(panel.name, ": training diverged at every rate"));
  }

  absl::StatusOr<OptionalPoint> Train(const Panel& panel, const std::string& dataset, const Regulariser& regulariser,
                                      float sigma2, float rate, uint64_t seed) {
    v1::JobSpec job = PanelJob(scale_, panel, dataset, rate, seed);
    // All regularisers start from the same autoencoder at 0.
    (sigma2 == 0 ? kDae : regulariser).set(sigma2, job.mutable_encoder()->mutable_regularised());
    const std::string label =
        absl::StrFormat("%s, %s, sigma^2 = %g, rate %g, seed %d", panel.name, regulariser.name, sigma2, rate, seed);
    const absl::StatusOr<ModelBundle> model = bench_.Train(label, job);
    if (absl::IsFailedPrecondition(model.status())) return OptionalPoint();
    KWTA_RETURN_IF_ERROR(model.status());
    const v1::TrainingStatistics& statistics = model->description.statistics();
    Point point;
    point.loss = statistics.loss();
    point.dead = static_cast<double>(statistics.dead_units()) / scale_.units;
    point.fraction = statistics.activation_fraction();
    return OptionalPoint(point);
  }

  void Draw(const Panel& panel, const std::vector<Curve>& curves) {
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

  Workbench& bench_;
  Report* const report_;
  const Scale scale_;
};

void Introduce(int figure, const Scale& scale, Report* report) {
  report->title = absl::StrCat("Why Regularized Auto-Encoders Learn Sparse Representation?, figure ", figure);
  report->notes = {
      absl::StrCat(scale.units, " units, ", scale.epochs, " epochs of ", scale.rows, " rows, batches of ", scale.batch,
                   ", momentum 0.9. The rate is the one with which a plain autoencoder has the least training loss. "
                   "Activation fractions are those of the last rows of training, as training sees them (with noise for "
                   "DAE). SAE is equation (13) with sigma^2 for lambda, along its tangent above a mean activity of ",
                   kActivityLimit, ". docs/regularised.md has the formulas.")};
}

// How much a curve changes, as a share of its start.
double LargestChange(const Curve& curve) {
  return (curve.Largest() - curve.Least()) / std::max(curve.fraction.front(), 1e-9);
}

// Theorem 3 on some rows of a trained model: claim (e).
absl::Status CheckTheorem3(Workbench& bench, const Scale& scale, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  Panel panel{absl::StrCat(digits, ", softplus"), false, v1::ACTIVATION_SOFTPLUS, true};
  v1::JobSpec job = PanelJob(scale, panel, digits, scale.rates.front(), 1);
  job.mutable_encoder()->mutable_regularised()->set_gaussian_noise(0);
  KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train("theorem 3, softplus", job));
  const std::vector<double> variances = {1, 0.1, 0.01, 1e-3, 1e-4, 1e-5};
  const int64_t rows = bench.quick() ? 20 : 100, samples = bench.quick() ? 60 : 400;
  const nlohmann::json key = {
      {"theorem3", ModelJson(model)}, {"rows", rows}, {"samples", samples}, {"variances", variances}};
  KWTA_ASSIGN_OR_RETURN(
      const nlohmann::json result, bench.Once("theorem 3", key, [&]() -> absl::StatusOr<nlohmann::json> {
        KWTA_ASSIGN_OR_RETURN(const Dataset data, bench.Load(Part(digits, v1::DATASET_SPLIT_TRAIN, rows)));
        const v1::ModelDescription& description = model.description;
        const int64_t units = description.code_width(), width = description.input_width();
        KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                              Preprocessor::Load(description.preprocessing(), width, model.tensors));
        std::vector<float> x(data.rows() * width);
        for (int64_t i = 0; i < data.rows(); ++i) {
          KWTA_RETURN_IF_ERROR(preprocessor.Apply(data.row(i), x.data() + i * width));
        }
        ExpandedAutoencoder expanded;
        KWTA_ASSIGN_OR_RETURN(expanded.atoms, FindFloats(model.tensors, "atoms", {units, width}));
        KWTA_ASSIGN_OR_RETURN(expanded.bias, FindFloats(model.tensors, "bias", {units}));
        KWTA_ASSIGN_OR_RETURN(expanded.decoder_bias, FindFloats(model.tensors, "decoder_bias", {width}));
        expanded.units = units;
        expanded.width = width;
        expanded.activation = Activation::kSoftplus;
        expanded.x = x.data();
        expanded.rows = data.rows();
        return nlohmann::json{{"bracket", DenoisingBracket(expanded, bench.pool())},
                              {"excess", DenoisingExcess(expanded, variances, samples, 1, bench.pool())}};
      }));
  const double bracket = result["bracket"];
  ReportTable table{"Theorem 3, softplus", "(J_DAE - J_AE) / sigma^2", {}};
  for (size_t v = 0; v < variances.size(); ++v) {
    table.rows.push_back(
        {absl::StrFormat("sigma^2 = %g", variances[v]), bracket, {result["excess"][v].get<double>()}, nullptr, ""});
  }
  report->tables.push_back(std::move(table));
  const double last = result["excess"].back();
  const double error = std::abs(last / bracket - 1), standard = 0.03;
  report->claims.push_back(
      {absl::StrFormat("(e) theorem 3: at sigma^2 = %g, (J_DAE - J_AE) / sigma^2 is %.5g where the bracket of equation "
                       "(7) is %.5g; within %g%% of it, which %d x %d samples allow",
                       variances.back(), last, bracket, 100 * standard, rows, 2 * samples),
       error < standard});
  return absl::OkStatus();
}

// Claims (d) and (f) of figures 2 and 5: without the constraint a trend is unpredictable.
void ClaimUnpredictable(Figure& figure, const Panel& panel, const std::vector<Curve>& curves) {
  for (const Curve& curve : curves) {
    if (curve.name != std::string("CAE") && curve.name != std::string("mDAE")) continue;
    figure.AddClaim(panel, absl::StrCat("(d) ", curve.name, " is not monotone: ", curve.Text()), !curve.Monotone());
  }
}

}  // namespace

absl::Status ArpitFigure1(Workbench& bench, Report* report) {
  Figure figure(bench, report);
  Introduce(1, figure.scale(), report);
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, figure.Panels(v1::ACTIVATION_RELU, true));
  for (const Panel& panel : panels) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
    const Curve& dae = curves[0];
    for (const Curve& curve : {curves[1], curves[2]}) {
      figure.AddClaim(panel,
                      absl::StrFormat("(a) %s stays flat: it changes by %.1f%% of its start at most, 10%% allowed",
                                      curve.name, 100 * LargestChange(curve)),
                      LargestChange(curve) <= 0.1);
    }
    figure.AddClaim(panel, absl::StrCat("(a) DAE falls: ", dae.Text()), dae.Falls());
    double early = 0;
    for (size_t p = 0; p < dae.fraction.size(); ++p) {
      if (dae.fraction[p] > 0.05) early = std::max(early, dae.dead[p] - dae.dead[0]);
    }
    figure.AddClaim(
        panel,
        absl::StrFormat("(f) dead units of DAE rise only after the fraction is about 0.05: above it they "
                        "rise by %.1f%%, 1%% allowed%s",
                        100 * early,
                        dae.Least() > 0.05 ? "; the fraction never came below it, so the claim is not tested" : ""),
        early <= 0.01);
  }
  return absl::OkStatus();
}

absl::Status ArpitFigure2(Workbench& bench, Report* report) {
  Figure figure(bench, report);
  Introduce(2, figure.scale(), report);
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, figure.Panels(v1::ACTIVATION_RELU, false));
  for (const Panel& panel : panels) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
    ClaimUnpredictable(figure, panel, curves);
    figure.AddClaim(panel, absl::StrCat("(f) the fraction of DAE stays above 0.1: ", curves[0].Text()),
                    curves[0].Least() > 0.1);
  }
  return absl::OkStatus();
}

absl::Status ArpitFigure3(Workbench& bench, Report* report) {
  Figure figure(bench, report);
  Introduce(3, figure.scale(), report);
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, figure.Panels(v1::ACTIVATION_RELU, true));
  for (const Panel& panel : panels) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<Curve> curves, figure.Measure(panel, {kEdae, kDae}));
    figure.AddClaim(panel, absl::StrCat("(b) eDAE falls, as DAE does: ", curves[0].Text(), "; DAE ", curves[1].Text()),
                    curves[0].Falls() && curves[1].Falls());
  }
  return CheckTheorem3(bench, figure.scale(), report);
}

absl::Status ArpitFigure4(Workbench& bench, Report* report) {
  Figure figure(bench, report);
  Introduce(4, figure.scale(), report);
  for (const v1::Activation activation : {v1::ACTIVATION_SIGMOID, v1::ACTIVATION_SOFTPLUS}) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, figure.Panels(activation, true));
    for (const Panel& panel : panels) {
      KWTA_ASSIGN_OR_RETURN(const std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
      if (activation != v1::ACTIVATION_SIGMOID) continue;  // the paper shows no plots of softplus
      for (const Curve& curve : curves) {
        figure.AddClaim(panel, absl::StrCat("(c) ", curve.name, " falls: ", curve.Text()), curve.Falls());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ArpitFigure5(Workbench& bench, Report* report) {
  Figure figure(bench, report);
  Introduce(5, figure.scale(), report);
  for (const v1::Activation activation : {v1::ACTIVATION_SIGMOID, v1::ACTIVATION_SOFTPLUS}) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, figure.Panels(activation, false));
    for (const Panel& panel : panels) {
      KWTA_ASSIGN_OR_RETURN(const std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
      if (activation == v1::ACTIVATION_SIGMOID) ClaimUnpredictable(figure, panel, curves);
    }
  }
  return absl::OkStatus();
}

}  // namespace kwta

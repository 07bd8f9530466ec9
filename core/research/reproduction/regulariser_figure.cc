#include "core/research/reproduction/regulariser_figure.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {
namespace {

// A checkpoint after each tenth epoch of a full run: half a minute at most is lost.
constexpr uint32_t kCheckpointsOfRun = 5;

// Names the way of training and of measuring: numbers of another way are not taken for these.
constexpr char kMeasured[] = "statistics; penalties have no gradient along atoms of fixed length";

// What is kept of a training.
constexpr char kDiverged[] = "diverged", kFraction[] = "activation_fraction", kDead[] = "dead_fraction",
               kLoss[] = "loss";

absl::StatusOr<nlohmann::json> NumbersOf(const absl::StatusOr<ModelBundle>& model) {
  if (absl::IsFailedPrecondition(model.status())) {
    return nlohmann::json{{kDiverged, std::string(model.status().message())}};
  }
  KWTA_RETURN_IF_ERROR(model.status());
  const v1::ModelDescription& description = model->description;
  const v1::TrainingStatistics& statistics = description.statistics();
  return nlohmann::json{{kFraction, statistics.activation_fraction()},
                        {kDead, static_cast<double>(statistics.dead_units()) / description.code_width()},
                        {kLoss, statistics.loss()},
                        {"fraction_variance_unexplained", statistics.fraction_variance_unexplained()},
                        {"mean_pre_activation", statistics.mean_pre_activation()},
                        {"pre_activation_variance", statistics.pre_activation_variance()},
                        {"activity_window_rows", statistics.activity_window_rows()},
                        {"train_seconds", statistics.train_seconds()},
                        {"backend", description.backend()},
                        {"kwta_version", description.kwta_version()}};
}

// Computes one figure. Not thread-safe.
class Figure {
 public:
  // Refers to all.
  Figure(Workbench& bench, const FigurePlan& plan, Report* report)
      : bench_(bench),
        plan_(plan),
        report_(report),
        notes_(report->notes),
        scale_(FigureScale(bench)),
        rates_(plan.panels.size()),
        numbers_(plan.panels.size() * plan.regularisers.size() * scale_.sigma2.size() * bench.seeds()) {}

  // Errors: INVALID_ARGUMENT if ReproductionOptions.only names what there is not.
  absl::Status CheckOnly() const;
  absl::Status Measure();

 private:
  // One training: indices into the plan and the scale.
  struct Point {
    size_t panel, regulariser, sigma2;
    int seed;
  };

  bool InOutline(size_t sigma2) const {
    return std::find(scale_.outline.begin(), scale_.outline.end(), scale_.sigma2[sigma2]) != scale_.outline.end();
  }
  const Panel& PanelOf(const Point& point) const { return plan_.panels[point.panel]; }
  std::optional<nlohmann::json>& NumbersAt(const Point& point) {
    return numbers_[((point.panel * plan_.regularisers.size() + point.regulariser) * scale_.sigma2.size() +
                     point.sigma2) *
                        bench_.seeds() +
                    point.seed - 1];
  }
  // All that can be trained, in this order.
  std::vector<Point> Points() const;
  // The name that ReproductionOptions.only is about.
  std::string NameOf(const Point& point) const;
  absl::StatusOr<std::optional<nlohmann::json>> Look(const Point& point, float rate);
  absl::StatusOr<nlohmann::json> Train(const Point& point, float rate);
  // The rate with which a plain autoencoder has the least training loss; 0 if it diverges at every rate, and the panel
  // then stays empty. Nothing if it is not known and no run of the panel is wanted.
  absl::StatusOr<std::optional<float>> ChooseRate(size_t panel);
  // Writes the report with what there is.
  absl::Status Publish();
  void AddPanel(size_t panel, std::vector<MeasuredPanel>* measured);
  Measurement RowOf(size_t panel, size_t regulariser, size_t sigma2);
  Curve CurveOf(size_t panel, size_t regulariser);
  void Draw(const MeasuredPanel& measured);

  // A training as Workbench::MeasureOnce takes it.
  struct Training {
    std::string label;
    v1::JobSpec job;
  };
  absl::StatusOr<Training> TrainingOf(const Point& point, float rate) const;

  Workbench& bench_;
  const FigurePlan& plan_;
  Report* const report_;
  const std::vector<std::string> notes_;
  const Scale scale_;
  std::vector<std::optional<float>> rates_;             // of the panels
  std::vector<std::optional<nlohmann::json>> numbers_;  // of the points
};

std::vector<Figure::Point> Figure::Points() const {
  std::vector<Point> points;
  for (int seed = 1; seed <= bench_.seeds(); ++seed) {
    for (size_t panel = 0; panel < plan_.panels.size(); ++panel) {
      if (rates_[panel] == 0) continue;
      for (size_t regulariser = 0; regulariser < plan_.regularisers.size(); ++regulariser) {
        for (size_t sigma2 = 0; sigma2 < scale_.sigma2.size(); ++sigma2) {
          points.push_back({panel, regulariser, sigma2, seed});
        }
      }
    }
  }
  std::stable_partition(points.begin(), points.end(), [&](const Point& point) { return InOutline(point.sigma2); });
  return points;
}

std::string Figure::NameOf(const Point& point) const {
  return absl::StrFormat("%s, %s, sigma^2 = %g, seed %d", PanelOf(point).name,
                         plan_.regularisers[point.regulariser].name, scale_.sigma2[point.sigma2], point.seed);
}

absl::Status Figure::CheckOnly() const {
  std::vector<std::string> names = plan_.others;
  for (const Point& point : Points()) names.push_back(NameOf(point));
  const std::string panels = absl::StrJoin(
      plan_.panels, "', '", [](std::string* out, const Panel& panel) { absl::StrAppend(out, panel.name); });
  const std::string regularisers =
      absl::StrJoin(plan_.regularisers, ", ",
                    [](std::string* out, const Regulariser& regulariser) { absl::StrAppend(out, regulariser.name); });
  const std::string others =
      plan_.others.empty() ? "" : absl::StrCat("; and '", absl::StrJoin(plan_.others, "', '"), "'");
  return bench_.CheckOnly(
      names, absl::StrCat("'PANEL, REGULARISER, sigma^2 = VALUE, seed N', with PANEL '", panels, "'; REGULARISER ",
                          regularisers, "; VALUE ", absl::StrJoin(scale_.sigma2, ", "), "; N 1 .. ", bench_.seeds(),
                          others));
}

absl::StatusOr<Figure::Training> Figure::TrainingOf(const Point& point, float rate) const {
  const Panel& panel = PanelOf(point);
  const float sigma2 = scale_.sigma2[point.sigma2];
  // All regularisers start from the same autoencoder at 0.
  const Regulariser& regulariser = sigma2 == 0 ? kDae : plan_.regularisers[point.regulariser];
  KWTA_ASSIGN_OR_RETURN(const std::string dataset, panel.patches ? std::string("cifar10") : bench_.Digits());
  Training training{
      absl::StrFormat("%s, %s, sigma^2 = %g, rate %g, seed %d", panel.name, regulariser.name, sigma2, rate, point.seed),
      PanelJob(scale_, panel, dataset, rate, static_cast<uint64_t>(point.seed))};
  regulariser.set(sigma2, training.job.mutable_encoder()->mutable_regularised());
  return training;
}

absl::StatusOr<std::optional<nlohmann::json>> Figure::Look(const Point& point, float rate) {
  KWTA_ASSIGN_OR_RETURN(const Training training, TrainingOf(point, rate));
  return bench_.Measured(training.label, training.job, kMeasured);
}

absl::StatusOr<nlohmann::json> Figure::Train(const Point& point, float rate) {
  KWTA_ASSIGN_OR_RETURN(const Training training, TrainingOf(point, rate));
  return bench_.MeasureOnce(training.label, training.job, kMeasured, NumbersOf);
}

absl::StatusOr<std::optional<float>> Figure::ChooseRate(size_t panel) {
  bool wanted = false;
  for (const Point& point : Points()) wanted |= point.panel == panel && bench_.Wants(NameOf(point));
  float best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const float rate : scale_.rates) {
    const Point plain{panel, 0, 0, 1};  // sigma^2 = 0
    KWTA_ASSIGN_OR_RETURN(std::optional<nlohmann::json> numbers, Look(plain, rate));
    if (!numbers.has_value()) {
      if (!wanted) return std::nullopt;
      KWTA_ASSIGN_OR_RETURN(numbers, Train(plain, rate));
    }
    if (numbers->contains(kDiverged) || (*numbers)[kLoss] >= least) continue;
    least = (*numbers)[kLoss];
    best = rate;
  }
  return best;
}

absl::Status Figure::Measure() {
  for (size_t panel = 0; panel < plan_.panels.size(); ++panel) {
    KWTA_ASSIGN_OR_RETURN(rates_[panel], ChooseRate(panel));
  }
  const std::vector<Point> points = Points();
  for (const Point& point : points) {
    if (!rates_[point.panel].has_value()) continue;
    KWTA_ASSIGN_OR_RETURN(NumbersAt(point), Look(point, *rates_[point.panel]));
  }
  for (const Point& point : points) {
    if (NumbersAt(point).has_value() || !bench_.Wants(NameOf(point))) continue;
    KWTA_ASSIGN_OR_RETURN(NumbersAt(point), Train(point, *rates_[point.panel]));
    KWTA_RETURN_IF_ERROR(Publish());
  }
  return Publish();
}

absl::Status Figure::Publish() {
  const size_t there =
      numbers_.size() - static_cast<size_t>(std::count(numbers_.begin(), numbers_.end(), std::nullopt));
  report_->left_out = 0;
  for (const Point& point : Points())
    report_->left_out += !NumbersAt(point).has_value() && !bench_.Wants(NameOf(point));
  report_->notes = notes_;
  report_->notes.push_back(absl::StrCat(there, " of ", numbers_.size(),
                                        " trainings are there. Curves and claims rest on the seeds that "
                                        "have a training at each sigma^2 of ",
                                        absl::StrJoin(scale_.outline, ", "),
                                        ", and on the values of sigma^2 that all of these seeds have; claims say how "
                                        "many those are."));
  report_->tables.clear();
  report_->pictures.clear();
  report_->claims.clear();
  std::vector<MeasuredPanel> measured;
  for (size_t panel = 0; panel < plan_.panels.size(); ++panel) AddPanel(panel, &measured);
  plan_.judge(measured, report_);
  return bench_.Publish(report_);
}

void Figure::AddPanel(size_t panel, std::vector<MeasuredPanel>* measured) {
  const std::string& name = plan_.panels[panel].name;
  std::string rate = "no rate yet";
  if (rates_[panel] == 0) {
    rate = "no rate";
    report_->claims.push_back({absl::StrCat(name, ": a plain autoencoder trains: it diverged at every rate"), false});
  } else if (rates_[panel].has_value()) {
    rate = absl::StrFormat("rate %g", *rates_[panel]);
  }
  ReportTable table{absl::StrCat(name, ", ", rate), "average activation fraction", {}};
  MeasuredPanel result{plan_.panels[panel], {}};
  for (size_t r = 0; r < plan_.regularisers.size(); ++r) {
    for (size_t s = 0; s < scale_.sigma2.size(); ++s) table.rows.push_back(RowOf(panel, r, s));
    Curve curve = CurveOf(panel, r);
    if (curve.seeds == 0) continue;
    if (curve.fraction.size() >= 2) {
      result.curves.push_back(std::move(curve));
    } else {
      report_->claims.push_back({absl::StrCat(name, ": ", curve.name, " has a curve: training diverged but at ",
                                              curve.fraction.size(), " values of sigma^2"),
                                 false});
    }
  }
  report_->tables.push_back(std::move(table));
  Draw(result);
  measured->push_back(std::move(result));
}

Measurement Figure::RowOf(size_t panel, size_t regulariser, size_t sigma2) {
  Measurement row{absl::StrFormat("%s, sigma^2 = %g", plan_.regularisers[regulariser].name, scale_.sigma2[sigma2]),
                  std::nullopt};
  double dead = 0;
  for (int seed = 1; seed <= bench_.seeds(); ++seed) {
    const std::optional<nlohmann::json>& numbers = NumbersAt({panel, regulariser, sigma2, seed});
    if (!numbers.has_value()) continue;
    row.details.push_back(*numbers);
    row.details.back()["seed"] = seed;
    if (numbers->contains(kDiverged)) {
      absl::StrAppend(&row.note, "seed ", seed, " diverged; ");
      continue;
    }
    row.values.push_back((*numbers)[kFraction]);
    dead += (*numbers)[kDead].get<double>();
  }
  if (row.details.is_null()) row.note = "not measured yet";
  if (!row.values.empty()) {
    absl::StrAppend(&row.note, absl::StrFormat("%.1f%% dead", 100 * dead / static_cast<double>(row.values.size())));
  }
  return row;
}

Curve Figure::CurveOf(size_t panel, size_t regulariser) {
  Curve curve{plan_.regularisers[regulariser].name, 0, 0, {}, {}, {}};
  const auto there = [&](size_t sigma2, int seed) { return NumbersAt({panel, regulariser, sigma2, seed}).has_value(); };
  std::vector<int> seeds;
  for (int seed = 1; seed <= bench_.seeds(); ++seed) {
    bool outline = true;
    for (size_t s = 0; s < scale_.sigma2.size(); ++s) outline &= !InOutline(s) || there(s, seed);
    if (outline) seeds.push_back(seed);
  }
  curve.seeds = static_cast<int>(seeds.size());
  for (size_t s = 0; s < scale_.sigma2.size() && !seeds.empty(); ++s) {
    if (!std::all_of(seeds.begin(), seeds.end(), [&](int seed) { return there(s, seed); })) continue;
    ++curve.measured;
    double values = 0, fraction = 0, dead = 0;
    for (const int seed : seeds) {
      const nlohmann::json& numbers = *NumbersAt({panel, regulariser, s, seed});
      if (numbers.contains(kDiverged)) continue;
      ++values;
      fraction += numbers[kFraction].get<double>();
      dead += numbers[kDead].get<double>();
    }
    if (values == 0) continue;
    curve.sigma2.push_back(scale_.sigma2[s]);
    curve.fraction.push_back(fraction / values);
    curve.dead.push_back(dead / values);
  }
  return curve;
}

void Figure::Draw(const MeasuredPanel& measured) {
  if (measured.curves.empty()) return;
  std::vector<Series> fractions, dead;
  for (const Curve& curve : measured.curves) {
    fractions.push_back({curve.name, curve.sigma2, curve.fraction});
    dead.push_back({curve.name, curve.sigma2, curve.dead});
  }
  report_->pictures.push_back(LineChart(measured.panel.name, "Average activation fraction, equation (14).", {"sigma^2"},
                                        {"activation fraction"}, fractions));
  report_->pictures.push_back(LineChart(measured.panel.name, "Units that no row of the last epoch activates.",
                                        {"sigma^2"}, {"fraction of dead units"}, dead));
}

}  // namespace

Scale FigureScale(const Workbench& bench) {
  if (bench.quick()) return {200, 8, 50, 2000, {0, 0.01f, 0.25f, 1}, {0, 0.25f, 1}, {0.001f, 0.003f}};
  Scale scale{1000, 50, 50, 50'000, {0, 0.001f}, {0, 0.25f, 1}, {0.001f, 0.002f, 0.005f}};
  for (int tenths = 1; tenths <= 10; ++tenths) scale.sigma2.push_back(static_cast<float>(tenths * tenths) / 100);
  return scale;
}

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
  training.set_checkpoint_epochs(std::max<uint32_t>(1, scale.epochs / kCheckpointsOfRun));
  *job.mutable_dataset() = Part(dataset, v1::DATASET_SPLIT_TRAIN, scale.rows);
  return job;
}

std::string Curve::Text() const {
  std::string text;
  for (size_t p = 0; p < fraction.size(); ++p) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", absl::StrFormat("%.3f at %g", fraction[p], sigma2[p]));
  }
  return text;
}

const Curve* MeasuredPanel::Find(absl::string_view name) const {
  for (const Curve& curve : curves) {
    if (curve.name == name) return &curve;
  }
  return nullptr;
}

absl::StatusOr<std::vector<Panel>> FigurePanels(const Workbench& bench, const std::vector<v1::Activation>& activations,
                                                bool unit_length) {
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  std::vector<Panel> panels;
  for (const v1::Activation activation : activations) {
    const char* const name = activation == v1::ACTIVATION_RELU      ? "ReLU"
                             : activation == v1::ACTIVATION_SIGMOID ? "sigmoid"
                                                                    : "softplus";
    const std::string form = absl::StrCat(name, ", ", unit_length ? "unit length" : "free length");
    panels.push_back({absl::StrCat(digits, ", ", form), false, activation, unit_length});
    if (bench.quick()) continue;
    panels.push_back({absl::StrCat("patches of CIFAR-10, ", form), true, activation, unit_length});
  }
  return panels;
}

absl::Status MeasureFigure(Workbench& bench, const FigurePlan& plan, Report* report) {
  report->title = absl::StrCat("Why Regularized Auto-Encoders Learn Sparse Representation?, figure ", plan.number);
  const Scale scale = FigureScale(bench);
  report->notes.push_back(
      absl::StrCat(scale.units, " units, ", scale.epochs, " epochs of ", scale.rows, " rows, batches of ", scale.batch,
                   ", momentum 0.9. The rate is the one with which a plain autoencoder has the least training loss. "
                   "Activation fractions are those of the last rows of training, as training sees them (with noise for "
                   "DAE). SAE is equation (13) with sigma^2 for lambda, along its tangent above a mean activity of ",
                   kActivityLimit, ". docs/regularised.md has the formulas."));
  Figure figure(bench, plan, report);
  KWTA_RETURN_IF_ERROR(figure.CheckOnly());
  return figure.Measure();
}

}  // namespace kwta

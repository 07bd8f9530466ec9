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
#include "core/research/reproduction/regulariser_figure.h"

namespace kwta {
namespace {

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

struct MeasuredPanel {
  Panel panel;
  std::vector<Curve> curves;
};

// Claim (d) of figures 2 and 5: without the constraint the trends of CAE and mDAE are unpredictable, that is not
// monotone somewhere, or of another direction on another data set.
void ClaimUnpredictable(Figure& figure, const std::vector<MeasuredPanel>& measured) {
  for (const std::string name : {"CAE", "mDAE"}) {
    std::string text;
    bool rises = false, falls = false, turns = false;
    for (const MeasuredPanel& each : measured) {
      for (const Curve& curve : each.curves) {
        if (curve.name != name) continue;
        absl::StrAppend(&text, text.empty() ? "" : "; ", each.panel.name, " ", curve.Text());
        turns |= !curve.Monotone();
        rises |= !curve.Falls();
        falls |= curve.Falls();
      }
    }
    figure.AddClaim(
        absl::StrCat("(d) ", name, " is not monotone somewhere, or changes its direction between data sets: ", text),
        turns || (rises && falls));
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
  std::vector<MeasuredPanel> measured;
  for (const Panel& panel : panels) {
    KWTA_ASSIGN_OR_RETURN(std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
    figure.AddClaim(panel, absl::StrCat("(f) the fraction of DAE stays above 0.1: ", curves[0].Text()),
                    curves[0].Least() > 0.1);
    measured.push_back({panel, std::move(curves)});
  }
  ClaimUnpredictable(figure, measured);
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
    std::vector<MeasuredPanel> measured;
    for (const Panel& panel : panels) {
      KWTA_ASSIGN_OR_RETURN(std::vector<Curve> curves, figure.Measure(panel, {kDae, kCae, kMdae, kSae}));
      measured.push_back({panel, std::move(curves)});
    }
    if (activation == v1::ACTIVATION_SIGMOID) ClaimUnpredictable(figure, measured);
  }
  return absl::OkStatus();
}

}  // namespace kwta

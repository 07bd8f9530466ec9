// "Why Regularized Auto-Encoders Learn Sparse Representation?", figures 1 to 5: the average activation fraction and the
// dead units of each regulariser as sigma^2 grows; and theorem 3 in numbers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

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

constexpr char kTheorem3[] = "theorem 3";  // the name that ReproductionOptions.only is about

// How much a curve changes, as a share of its start.
double LargestChange(const Curve& curve) {
  return (curve.Largest() - curve.Least()) / std::max(curve.fraction.front(), 1e-9);
}

// Theorem 3 on some rows of a trained model: claim (e).
absl::Status CheckTheorem3(Workbench& bench, Report* report) {
  const std::string name = kTheorem3;
  const Scale scale = FigureScale(bench);
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  const Panel panel{absl::StrCat(digits, ", softplus"), false, v1::ACTIVATION_SOFTPLUS, true};
  v1::JobSpec job = PanelJob(scale, panel, digits, scale.rates.front(), 1);
  job.mutable_encoder()->mutable_regularised()->set_gaussian_noise(0);
  const std::vector<double> variances = {1, 0.1, 0.01, 1e-3, 1e-4, 1e-5};
  const int64_t rows = bench.quick() ? 20 : 100, samples = bench.quick() ? 60 : 400;
  const nlohmann::json key = {{"theorem3", rows}, {"samples", samples}, {"variances", variances}};
  KWTA_ASSIGN_OR_RETURN(const std::optional<nlohmann::json> recorded, bench.Measured(name, job, key));
  if (!recorded.has_value() && !bench.Wants(name)) {
    ++report->left_out;
    return absl::OkStatus();
  }
  KWTA_ASSIGN_OR_RETURN(
      const nlohmann::json result,
      bench.MeasureOnce(
          name, job, key, [&](const absl::StatusOr<ModelBundle>& model) -> absl::StatusOr<nlohmann::json> {
            KWTA_RETURN_IF_ERROR(model.status());
            KWTA_ASSIGN_OR_RETURN(const Dataset data, bench.Load(Part(digits, v1::DATASET_SPLIT_TRAIN, rows)));
            const v1::ModelDescription& description = model->description;
            const int64_t units = description.code_width(), width = description.input_width();
            KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                                  Preprocessor::Load(description.preprocessing(), width, model->tensors));
            std::vector<float> x(data.rows() * width);
            for (int64_t i = 0; i < data.rows(); ++i) {
              KWTA_RETURN_IF_ERROR(preprocessor.Apply(data.row(i), x.data() + i * width));
            }
            ExpandedAutoencoder expanded;
            KWTA_ASSIGN_OR_RETURN(expanded.atoms, FindFloats(model->tensors, "atoms", {units, width}));
            KWTA_ASSIGN_OR_RETURN(expanded.bias, FindFloats(model->tensors, "bias", {units}));
            KWTA_ASSIGN_OR_RETURN(expanded.decoder_bias, FindFloats(model->tensors, "decoder_bias", {width}));
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

// What a claim rests on: curves are means over seeds, and some of their points may not be there yet.
std::string Grounds(const Curve& curve) {
  return absl::StrCat("; seeds: ", curve.seeds, ", values of sigma^2: ", curve.measured);
}

// Says what the claim rests on: the curve of which there is least.
void AddClaim(const Panel& panel, const std::vector<const Curve*>& curves, const std::string& text, bool holds,
              Report* report) {
  const Curve& least = **std::min_element(curves.begin(), curves.end(), [](const Curve* a, const Curve* b) {
    return std::pair(a->seeds, a->measured) < std::pair(b->seeds, b->measured);
  });
  report->claims.push_back({absl::StrCat(panel.name, ": ", text, Grounds(least)), holds});
}

// Claim (d) of figures 2 and 5: without the constraint the trends of CAE and mDAE are unpredictable, that is not
// monotone somewhere, or of another direction on another data set.
void ClaimUnpredictable(const std::vector<MeasuredPanel>& measured, v1::Activation activation, Report* report) {
  for (const std::string name : {"CAE", "mDAE"}) {
    std::string text;
    bool rises = false, falls = false, turns = false;
    for (const MeasuredPanel& each : measured) {
      const Curve* const curve = each.Find(name);
      if (each.panel.activation != activation || curve == nullptr) continue;
      absl::StrAppend(&text, text.empty() ? "" : " | ", each.panel.name, " ", curve->Text(), Grounds(*curve));
      turns |= !curve->Monotone();
      rises |= !curve->Falls();
      falls |= curve->Falls();
    }
    if (text.empty()) continue;
    report->claims.push_back(
        {absl::StrCat("(d) ", name, " is not monotone somewhere, or changes its direction between data sets: ", text),
         turns || (rises && falls)});
  }
}

void JudgeFigure1(const std::vector<MeasuredPanel>& measured, Report* report) {
  for (const MeasuredPanel& each : measured) {
    for (const char* name : {"CAE", "mDAE"}) {
      const Curve* const curve = each.Find(name);
      if (curve == nullptr) continue;
      AddClaim(each.panel, {curve},
               absl::StrFormat("(a) %s stays flat: it changes by %.1f%% of its start at most, 10%% allowed", name,
                               100 * LargestChange(*curve)),
               LargestChange(*curve) <= 0.1, report);
    }
    const Curve* const dae = each.Find("DAE");
    if (dae == nullptr) continue;
    AddClaim(each.panel, {dae}, absl::StrCat("(a) DAE falls: ", dae->Text()), dae->Falls(), report);
    double early = 0;
    for (size_t p = 0; p < dae->fraction.size(); ++p) {
      if (dae->fraction[p] > 0.05) early = std::max(early, dae->dead[p] - dae->dead[0]);
    }
    AddClaim(
        each.panel, {dae},
        absl::StrFormat("(f) dead units of DAE rise only after the fraction is about 0.05: above it they "
                        "rise by %.1f%%, 1%% allowed%s",
                        100 * early,
                        dae->Least() > 0.05 ? "; the fraction never came below it, so the claim is not tested" : ""),
        early <= 0.01, report);
  }
}

void JudgeFigure2(const std::vector<MeasuredPanel>& measured, Report* report) {
  for (const MeasuredPanel& each : measured) {
    const Curve* const dae = each.Find("DAE");
    if (dae == nullptr) continue;
    AddClaim(each.panel, {dae}, absl::StrCat("(f) the fraction of DAE stays above 0.1: ", dae->Text()),
             dae->Least() > 0.1, report);
  }
  ClaimUnpredictable(measured, v1::ACTIVATION_RELU, report);
}

void JudgeFigure3(const std::vector<MeasuredPanel>& measured, Report* report) {
  for (const MeasuredPanel& each : measured) {
    const Curve* const edae = each.Find("eDAE");
    const Curve* const dae = each.Find("DAE");
    if (edae == nullptr || dae == nullptr) continue;
    AddClaim(each.panel, {edae, dae},
             absl::StrCat("(b) eDAE falls, as DAE does: ", edae->Text(), "; DAE ", dae->Text()),
             edae->Falls() && dae->Falls(), report);
  }
}

void JudgeFigure4(const std::vector<MeasuredPanel>& measured, Report* report) {
  for (const MeasuredPanel& each : measured) {
    if (each.panel.activation != v1::ACTIVATION_SIGMOID) continue;  // the paper shows no plots of softplus
    for (const Curve& curve : each.curves) {
      AddClaim(each.panel, {&curve}, absl::StrCat("(c) ", curve.name, " falls: ", curve.Text()), curve.Falls(), report);
    }
  }
}

void JudgeFigure5(const std::vector<MeasuredPanel>& measured, Report* report) {
  ClaimUnpredictable(measured, v1::ACTIVATION_SIGMOID, report);
}

}  // namespace

absl::Status ArpitFigure1(Workbench& bench, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, FigurePanels(bench, {v1::ACTIVATION_RELU}, true));
  return MeasureFigure(bench, {1, panels, {kDae, kCae, kMdae, kSae}, JudgeFigure1}, report);
}

absl::Status ArpitFigure2(Workbench& bench, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, FigurePanels(bench, {v1::ACTIVATION_RELU}, false));
  return MeasureFigure(bench, {2, panels, {kDae, kCae, kMdae, kSae}, JudgeFigure2}, report);
}

absl::Status ArpitFigure3(Workbench& bench, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels, FigurePanels(bench, {v1::ACTIVATION_RELU}, true));
  KWTA_RETURN_IF_ERROR(MeasureFigure(bench, {3, panels, {kEdae, kDae}, JudgeFigure3, {kTheorem3}}, report));
  return CheckTheorem3(bench, report);
}

absl::Status ArpitFigure4(Workbench& bench, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels,
                        FigurePanels(bench, {v1::ACTIVATION_SIGMOID, v1::ACTIVATION_SOFTPLUS}, true));
  return MeasureFigure(bench, {4, panels, {kDae, kCae, kMdae, kSae}, JudgeFigure4}, report);
}

absl::Status ArpitFigure5(Workbench& bench, Report* report) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Panel> panels,
                        FigurePanels(bench, {v1::ACTIVATION_SIGMOID, v1::ACTIVATION_SOFTPLUS}, false));
  return MeasureFigure(bench, {5, panels, {kDae, kCae, kMdae, kSae}, JudgeFigure5}, report);
}

}  // namespace kwta

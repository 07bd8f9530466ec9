// The figures of "Why Regularized Auto-Encoders Learn Sparse Representation?": the average activation fraction and the
// dead units of each regulariser as sigma^2 grows.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/workbench.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

// SAE needs a limit for activities that are not bounded.
inline constexpr float kActivityLimit = 0.9f;

struct Regulariser {
  const char* name;
  void (*set)(float sigma2, v1::RegularisedSpec* spec);
};
inline constexpr Regulariser kDae = {"DAE",
                                     [](float sigma2, v1::RegularisedSpec* spec) { spec->set_gaussian_noise(sigma2); }};
inline constexpr Regulariser kEdae = {
    "eDAE", [](float sigma2, v1::RegularisedSpec* spec) { spec->set_first_order_noise(sigma2); }};
inline constexpr Regulariser kCae = {"CAE",
                                     [](float sigma2, v1::RegularisedSpec* spec) { spec->set_contraction(sigma2); }};
inline constexpr Regulariser kMdae = {
    "mDAE", [](float sigma2, v1::RegularisedSpec* spec) { spec->set_marginalised_noise(sigma2); }};
inline constexpr Regulariser kSae = {"SAE", [](float sigma2, v1::RegularisedSpec* spec) {
                                       spec->set_sparse_penalty(sigma2);
                                       spec->set_activity_limit(kActivityLimit);
                                     }};

// The size of a run.
struct Scale {
  uint32_t units, epochs, batch;
  uint64_t rows;
  std::vector<float> sigma2;
  std::vector<float> outline;  // those of sigma2 that come first, and that a curve needs
  std::vector<float> rates;
};

// One panel of a figure: a data set and an activation.
struct Panel {
  std::string name;
  bool patches;
  v1::Activation activation;
  bool unit_length;
};

v1::JobSpec PanelJob(const Scale& scale, const Panel& panel, const std::string& dataset, float rate, uint64_t seed);

// The points of a regulariser over sigma^2, averaged over the seeds that have the outline: the points that all of these
// seeds have. Trainings that diverged are points without values.
struct Curve {
  std::string name;
  int seeds = 0;
  size_t measured = 0;  // values of sigma^2, diverged ones too
  std::vector<double> sigma2, fraction, dead;

  double Largest() const { return *std::max_element(fraction.begin(), fraction.end()); }
  double Least() const { return *std::min_element(fraction.begin(), fraction.end()); }
  bool Falls() const { return fraction.size() > 1 && fraction.back() < fraction.front(); }
  bool Monotone() const {
    return std::is_sorted(fraction.begin(), fraction.end()) || std::is_sorted(fraction.rbegin(), fraction.rend());
  }
  // "0.310 at 0, 0.250 at 0.25".
  std::string Text() const;
};

struct MeasuredPanel {
  Panel panel;
  std::vector<Curve> curves;  // those of at least one seed

  // Null if it is not there.
  const Curve* Find(absl::string_view name) const;
};

struct FigurePlan {
  int number;
  std::vector<Panel> panels;
  std::vector<Regulariser> regularisers;  // of each panel
  // Adds the paper's claims, as far as there are curves to judge them by.
  void (*judge)(const std::vector<MeasuredPanel>& panels, Report* report);
  std::vector<std::string> others = {};  // names of what the caller measures besides, for ReproductionOptions.only
};

// The size of a figure in this run.
Scale FigureScale(const Workbench& bench);

// For each activation a panel of each data set: of MNIST, and of patches of CIFAR-10, which a quick run leaves out.
absl::StatusOr<std::vector<Panel>> FigurePanels(const Workbench& bench, const std::vector<v1::Activation>& activations,
                                                bool unit_length);

// Trains and measures what the state lacks: the outline with seed 1, with seed 2, and so on, then the points between in
// the same order. Publishes the report after each training. Counts in report->left_out what ReproductionOptions.only
// keeps from it. A panel or a curve that diverges nearly everywhere is a claim that does not hold. Errors:
// INVALID_ARGUMENT before anything is trained (see Workbench::CheckOnly), and those of training.
absl::Status MeasureFigure(Workbench& bench, const FigurePlan& plan, Report* report);

}  // namespace kwta

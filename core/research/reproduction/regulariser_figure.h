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
  std::vector<float> sigma2, rates;
};

// One panel of a figure: a data set and an activation.
struct Panel {
  std::string name;
  bool patches;
  v1::Activation activation;
  bool unit_length;
};

v1::JobSpec PanelJob(const Scale& scale, const Panel& panel, const std::string& dataset, float rate, uint64_t seed);

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
  std::string Text() const;
};

// Computes one figure. Not thread-safe.
class Figure {
 public:
  // Refers to both.
  Figure(Workbench& bench, Report* report);

  const Scale& scale() const { return scale_; }

  // Trains and measures a panel; its curves in the order of `regularisers`.
  absl::StatusOr<std::vector<Curve>> Measure(const Panel& panel, const std::vector<Regulariser>& regularisers);

  // A panel of each data set that is there: MNIST, and patches of CIFAR-10, without which a full run fails.
  absl::StatusOr<std::vector<Panel>> Panels(v1::Activation activation, bool unit_length);

  void AddClaim(const std::string& text, bool holds) { report_->claims.push_back({text, holds}); }
  void AddClaim(const Panel& panel, const std::string& text, bool holds) {
    AddClaim(absl::StrCat(panel.name, ": ", text), holds);
  }

 private:
  // The result of one training.
  struct Point {
    double fraction = 0, dead = 0, loss = 0;
  };

  // The rate with which a plain autoencoder has the least training loss.
  absl::StatusOr<float> ChooseRate(const Panel& panel, const std::string& dataset);
  // Nothing if training diverged.
  absl::StatusOr<std::optional<Point>> Train(const Panel& panel, const std::string& dataset,
                                             const Regulariser& regulariser, float sigma2, float rate, uint64_t seed);
  void Draw(const Panel& panel, const std::vector<Curve>& curves);

  Workbench& bench_;
  Report* const report_;
  const Scale scale_;
};

}  // namespace kwta

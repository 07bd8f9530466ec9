// Pictures of models.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/images/png.h"
#include "core/io/model_bundle.h"
#include "core/research/reproduction/report.h"

namespace kwta {

// The model's description as JSON: every hyperparameter and every measurement of training.
nlohmann::json ModelJson(const ModelBundle& model);

// `count` filters of shape [channels, height, width] as a PNG file.
absl::StatusOr<ReportPicture> FiltersPicture(const float* filters, int64_t count, const Shape& shape, int64_t zoom);

// The first atoms of a k-sparse model of images (or of patches, if it was trained on them), each scaled separately.
absl::StatusOr<ReportPicture> AtomsPicture(const ModelBundle& model);

// The decoder filters of a winner-take-all model (the encoder's if the weights are tied).
absl::StatusOr<ReportPicture> DecoderFiltersPicture(const ModelBundle& model);

// The points of one line.
struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct ChartAxis {
  std::string label;
  bool logarithmic = false;
};
// Lines and their legend, also as numbers. REQUIRES: some series has points.
ReportPicture LineChart(const std::string& title, const std::string& caption, const ChartAxis& x_axis,
                        const ChartAxis& y_axis, const std::vector<Series>& series);

}  // namespace kwta

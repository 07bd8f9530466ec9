#include "core/research/reproduction/pictures.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/encoders/winner_take_all.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {
namespace {

constexpr int64_t kShownAtoms = 120;
constexpr int64_t kShownColumns = 30;  // as in figure 1

constexpr double kWidth = 640, kHeight = 360, kLeft = 64, kRight = 20, kTop = 16, kBottom = 52;
constexpr const char* kColours[] = {"#1b6ca8", "#c8553d", "#2a7f62", "#7a4fa3", "#8a6d1d", "#555555"};

// A range of data and the range of the picture where it is drawn.
class Axis {
 public:
  Axis(bool logarithmic, double from, double to) : logarithmic_(logarithmic), from_(from), to_(to) {}

  void Include(double value) {
    const double at = Scaled(value);
    low_ = empty_ ? at : std::min(low_, at);
    high_ = empty_ ? at : std::max(high_, at);
    empty_ = false;
  }
  double At(double value) const { return AtScaled(Scaled(value)); }
  // The values to write beside the axis, with their places.
  std::vector<std::pair<double, double>> Ticks() const {
    std::vector<std::pair<double, double>> ticks;
    constexpr int kTicks = 5;
    for (int t = 0; t < kTicks; ++t) {
      const double at = low_ + (high_ - low_) * t / (kTicks - 1);
      ticks.emplace_back(logarithmic_ ? std::pow(10, at) : at, AtScaled(at));
    }
    return ticks;
  }

 private:
  double Scaled(double value) const { return logarithmic_ ? std::log10(std::max(value, 1e-12)) : value; }
  double AtScaled(double at) const {
    return high_ > low_ ? from_ + (to_ - from_) * (at - low_) / (high_ - low_) : (from_ + to_) / 2;
  }

  const bool logarithmic_;
  const double from_, to_;
  double low_ = 0, high_ = 0;
  bool empty_ = true;
};

}  // namespace

nlohmann::json ModelJson(const ModelBundle& model) { return ProtoJson(model.description); }

absl::StatusOr<ReportPicture> FiltersPicture(const float* filters, int64_t count, const Shape& shape, int64_t zoom) {
  TileOptions options;
  options.columns = std::min(count, kShownColumns);
  options.zoom = zoom;
  ReportPicture picture;
  KWTA_ASSIGN_OR_RETURN(picture.png, EncodePng(TileFilters(filters, count, shape, options)));
  return picture;
}

absl::StatusOr<ReportPicture> AtomsPicture(const ModelBundle& model) {
  const v1::ModelDescription& description = model.description;
  KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                        Preprocessor::Load(description.preprocessing(), description.input_width(), model.tensors));
  const Shape& shape = preprocessor.output_shape();
  const int64_t units = description.encoder().k_sparse().units();
  KWTA_ASSIGN_OR_RETURN(const float* atoms, FindFloats(model.tensors, "atoms", {units, ElementCount(shape)}));
  KWTA_ASSIGN_OR_RETURN(ReportPicture picture, FiltersPicture(atoms, std::min(units, kShownAtoms), shape, 1));
  picture.caption = absl::StrCat("The first ", std::min(units, kShownAtoms), " of ", units,
                                 " atoms, each scaled from black to white by itself.");
  return picture;
}

absl::StatusOr<ReportPicture> DecoderFiltersPicture(const ModelBundle& model) {
  const v1::WinnerTakeAllSpec& spec = model.description.encoder().winner_take_all();
  const Shape shape = DecoderFilterShape(spec);
  KWTA_ASSIGN_OR_RETURN(const float* filters,
                        FindFloats(model.tensors, spec.tied_weights() ? "filters" : "decoder_filters", shape));
  KWTA_ASSIGN_OR_RETURN(ReportPicture picture, FiltersPicture(filters, shape[0], {shape[1], shape[2], shape[3]}, 4));
  picture.caption = absl::StrCat("All ", shape[0], " filters, each scaled from black to white by itself.");
  return picture;
}

ReportPicture LineChart(const std::string& title, const std::string& caption, const ChartAxis& x_axis,
                        const ChartAxis& y_axis, const std::vector<Series>& series) {
  Axis x(x_axis.logarithmic, kLeft, kWidth - kRight), y(y_axis.logarithmic, kHeight - kBottom, kTop);
  for (const Series& line : series) {
    for (const double value : line.x) x.Include(value);
    for (const double value : line.y) y.Include(value);
  }
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" font-size=\"12\" "
      "font-family=\"system-ui, sans-serif\" fill=\"#222\">\n",
      kWidth, kHeight + 18.0 * static_cast<double>(series.size()), kWidth);
  for (const auto& [value, at] : x.Ticks()) {
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n", at,
                          kHeight - kBottom + 18, value);
  }
  for (const auto& [value, at] : y.Ticks()) {
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.3g</text><line x1=\"%.1f\" x2=\"%.1f\" "
                          "y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
                          kLeft - 8, at + 4, value, kLeft, kWidth - kRight, at, at);
  }
  absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                        (kLeft + kWidth - kRight) / 2, kHeight - kBottom + 38, x_axis.label);
  absl::StrAppendFormat(
      &svg, "<text x=\"14\" y=\"%.1f\" transform=\"rotate(-90 14 %.1f)\" text-anchor=\"middle\">%s</text>\n",
      (kTop + kHeight - kBottom) / 2, (kTop + kHeight - kBottom) / 2, y_axis.label);
  for (size_t s = 0; s < series.size(); ++s) {
    const char* colour = kColours[s % std::size(kColours)];
    svg += "<polyline fill=\"none\" stroke-width=\"2\" points=\"";
    for (size_t i = 0; i < series[s].x.size(); ++i) {
      absl::StrAppendFormat(&svg, "%.1f,%.1f ", x.At(series[s].x[i]), y.At(series[s].y[i]));
    }
    const double line = kHeight + 18.0 * static_cast<double>(s);
    absl::StrAppendFormat(&svg,
                          "\" stroke=\"%s\"/>\n<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                          "stroke-width=\"2\" stroke=\"%s\"/><text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                          colour, kLeft, kLeft + 24, line, line, colour, kLeft + 32, line + 4, series[s].name);
  }
  ReportPicture picture{title, caption, "", svg + "</svg>"};
  for (const Series& each : series) picture.numbers.push_back({{"name", each.name}, {"x", each.x}, {"y", each.y}});
  return picture;
}

}  // namespace kwta

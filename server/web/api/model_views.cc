#include "server/web/api/model_views.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/encoders/encoder_registry.h"
#include "core/tensors/codes.h"
#include "server/web/api/picture.h"
#include "server/web/api/row_examination.h"
#include "server/web/api/unit_pictures.h"

namespace kwta::server {
namespace {

using nlohmann::json;

// Live rows count once there are so many; before, the sample of the training data says more.
constexpr int64_t kFewestLiveRows = 1000;
// Bins of the histogram of use: none, then so many for each factor of ten, from 10^-kDecades to 1.
constexpr int kDecades = 4;
constexpr int kBinsOfADecade = 4;
constexpr int64_t kMostUnitsListed = 512;

int64_t UnitsOf(const ServedModel& model) { return CodeShape(model.description).front(); }

int64_t PositionsOf(const ServedModel& model) {
  return model.encoder->code_width() / std::max<int64_t>(1, UnitsOf(model));
}

json SourceJson(bool live, int64_t rows) { return {{"kind", live ? "live" : "training"}, {"rows", rows}}; }

// The number of units whose share lies in each bin.
json FrequencyJson(const std::vector<float>& share) {
  const int bins = kDecades * kBinsOfADecade;
  std::vector<int64_t> counts(bins, 0);
  json bounds = json::array();
  for (int i = 0; i <= bins; ++i) bounds.push_back(std::pow(10.0, static_cast<double>(i) / kBinsOfADecade - kDecades));
  int64_t never = 0;
  for (const float each : share) {
    if (each <= 0) {
      ++never;
      continue;
    }
    const auto bin = static_cast<int>(std::floor((std::log10(each) + kDecades) * kBinsOfADecade));
    ++counts[std::clamp(bin, 0, bins - 1)];
  }
  return {{"never", never}, {"bounds", std::move(bounds)}, {"counts", counts}};
}

// The picture of a sample row, each scaled by itself.
json SamplePicture(const v1::ModelDescription& model, const RowsView& row) {
  std::vector<float> elements(row.width);
  v1::PreprocessingSpec bytes_are_pixels;
  bytes_are_pixels.set_u8_divisor(255);
  Preprocessor(bytes_are_pixels, {}).ToFloat(row, elements.data());
  const auto [low, high] = std::minmax_element(elements.begin(), elements.end());
  const bool pixels = row.dtype == DType::kU8;
  return PictureJson(elements, InputImageOf(model), pixels ? 0 : *low, pixels ? 1 : *high);
}

absl::Status NoSuch(const char* what, int64_t number, int64_t count) {
  return absl::OutOfRangeError(absl::StrCat(what, " is ", number, "; expected 0 .. ", count - 1));
}

}  // namespace

ModelViews::Use ModelViews::UseOf(const ServedModelPtr& model) {
  Use use;
  const LiveUse live = live_use_ ? live_use_(*model) : LiveUse();
  const int64_t positions = PositionsOf(*model);
  const bool fits = static_cast<int64_t>(live.rows_of_unit.size()) == model->encoder->code_width();
  if (live.rows >= kFewestLiveRows && fits) {
    use.live = true;
    use.rows = live.rows;
    use.share.resize(UnitsOf(*model));
    for (size_t i = 0; i < live.rows_of_unit.size(); ++i) {
      use.share[i / positions] += static_cast<float>(live.rows_of_unit[i]);
    }
    for (float& share : use.share) share /= static_cast<float>(live.rows * positions);
    return use;
  }
  const absl::StatusOr<ModelStudyPtr> study = studies_.Get(model);
  if (!study.ok()) {
    use.problem = ToUtf8(study.status().message());
    return use;
  }
  use.rows = (*study)->rows.rows().rows;
  use.share = (*study)->use;
  return use;
}

absl::StatusOr<json> ModelViews::Units(const ModelSelector& selector, bool by_use, int64_t from, int64_t count) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  const int64_t total = UnitsOf(*model);
  if (from < 0 || from >= total) return NoSuch("from", from, total);
  if (count < 1 || count > kMostUnitsListed) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", count, "; expected 1 .. ", kMostUnitsListed));
  }
  const Use use = UseOf(model);
  std::vector<int64_t> order(total);
  std::iota(order.begin(), order.end(), 0);
  by_use = by_use && !use.share.empty();
  if (by_use) {
    std::stable_sort(order.begin(), order.end(), [&use](int64_t a, int64_t b) { return use.share[a] > use.share[b]; });
  }
  json units = json::array(), shares = json::array();
  for (int64_t i = from; i < std::min(total, from + count); ++i) {
    units.push_back(order[i]);
    if (!use.share.empty()) shares.push_back(use.share[order[i]]);
  }
  json result = {{"model", model->name},
                 {"version", model->version},
                 {"total", total},
                 {"from", from},
                 {"order", by_use ? "use" : "number"},
                 {"units", std::move(units)},
                 {"use", std::move(shares)}};
  if (use.share.empty()) {
    result["use_problem"] = use.problem;
  } else {
    result["use_source"] = SourceJson(use.live, use.rows);
  }
  const auto pictures = UnitPictures::Open(model->directory, model->description);
  if (pictures.ok()) {
    const Shape& shape = (*pictures)->shape();
    result["picture"] = {
        {"channels", shape[0]}, {"height", shape[1]}, {"width", shape[2]}, {"projected", (*pictures)->projected()}};
  } else {
    result["picture_problem"] = ToUtf8(models_->WithoutRoot(pictures.status()).message());
  }
  return result;
}

absl::StatusOr<std::string> ModelViews::Pictures(const ModelSelector& selector, std::vector<int64_t> units,
                                                 int64_t columns) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  const auto opened = UnitPictures::Open(model->directory, model->description);
  if (!opened.ok()) return models_->WithoutRoot(opened.status());
  const std::shared_ptr<const UnitPictures>& pictures = *opened;
  if (columns < 1 || columns > UnitPictures::kMost) {
    return absl::InvalidArgumentError(absl::StrCat("columns is ", columns, "; expected 1 .. ", UnitPictures::kMost));
  }
  for (int64_t& unit : units) {
    if (unit < 0 || unit >= UnitsOf(*model)) return NoSuch("unit", unit, UnitsOf(*model));
    unit %= pictures->count();  // units of all views share their filters
  }
  KWTA_ASSIGN_OR_RETURN(const Image image, pictures->Draw(units, columns));
  return EncodePng(image);
}

absl::StatusOr<json> ModelViews::Activity(const ModelSelector& selector) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  const Use use = UseOf(model);
  const LiveUse live = live_use_ ? live_use_(*model) : LiveUse();
  json result = {{"model", model->name},
                 {"version", model->version},
                 {"units", UnitsOf(*model)},
                 {"unexplained",
                  {{"training", model->description.statistics().fraction_variance_unexplained()},
                   {"live", live.fraction_variance_unexplained}}}};
  if (!use.share.empty()) {
    result["frequency"] = FrequencyJson(use.share);
    result["frequency"]["source"] = SourceJson(use.live, use.rows);
    const double sum = std::accumulate(use.share.begin(), use.share.end(), 0.0);
    result["active_fraction"] = sum / static_cast<double>(use.share.size());
  }
  const absl::StatusOr<ModelStudyPtr> study = studies_.Get(model);
  if (study.ok()) {
    const Histogram& histogram = (*study)->activities;
    result["activities"] = {{"low", histogram.low},
                            {"width", histogram.width},
                            {"counts", histogram.counts},
                            {"source", SourceJson(false, (*study)->rows.rows().rows)}};
  } else {
    result["problem"] = ToUtf8(study.status().message());
  }
  return result;
}

absl::StatusOr<json> ModelViews::Unit(const ModelSelector& selector, int64_t unit) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  if (unit < 0 || unit >= UnitsOf(*model)) return NoSuch("unit", unit, UnitsOf(*model));
  KWTA_ASSIGN_OR_RETURN(const ModelStudyPtr study, studies_.Get(model));
  json rows = json::array();
  for (int64_t i = unit * ModelStudy::kExciting; i < (unit + 1) * ModelStudy::kExciting; ++i) {
    if (study->exciting[i] < 0) break;
    rows.push_back({{"row", study->exciting[i]},
                    {"value", study->excitement[i]},
                    {"picture", SamplePicture(model->description, study->rows.rows().Slice(study->exciting[i], 1))}});
  }
  return json{{"model", model->name},    {"version", model->version},          {"unit", unit},
              {"use", study->use[unit]}, {"samples", study->rows.rows().rows}, {"rows", std::move(rows)}};
}

absl::StatusOr<json> ModelViews::ExamineSample(const ModelSelector& selector, int64_t row, const CallContext& context) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  KWTA_ASSIGN_OR_RETURN(const ModelStudyPtr study, studies_.Get(model));
  const RowsView rows = study->rows.rows();
  if (row < 0 || row >= rows.rows) return NoSuch("row", row, rows.rows);
  KWTA_ASSIGN_OR_RETURN(json result, Examine(model, rows.Slice(row, 1), context));
  result["sample"] = {{"row", row}, {"rows", rows.rows}};
  return result;
}

absl::StatusOr<json> ModelViews::ExamineBody(const ModelSelector& selector, absl::string_view body, bool raw,
                                             const CallContext& context) {
  KWTA_ASSIGN_OR_RETURN(const ServedModelPtr model, models_->Get(selector));
  const int64_t width = model->encoder->input_width();
  std::vector<uint8_t> row(body.begin(), body.end());
  if (!raw) {
    KWTA_ASSIGN_OR_RETURN(const Image image, DecodePicture(body));
    row = RowOfPicture(image, InputImageOf(model->description));
  }
  if (static_cast<int64_t>(row.size()) != width) {
    return absl::InvalidArgumentError(absl::StrCat("the body has ", row.size(), " bytes; expected ", width,
                                                   ", a byte for each element of a row of model '", model->name, "'"));
  }
  return Examine(model, {DType::kU8, row.data(), 1, width}, context);
}

absl::StatusOr<json> ModelViews::Examine(const ServedModelPtr& model, const RowsView& row, const CallContext& context) {
  absl::StatusOr<json> result = ExamineRow(encode_, model, row, context);
  if (!result.ok()) return models_->WithoutRoot(result.status());
  return result;
}

}  // namespace kwta::server

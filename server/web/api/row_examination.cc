#include "server/web/api/row_examination.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/escaping.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/model_bundle.h"
#include "core/preprocessing/preprocessor.h"
#include "core/tensors/codes.h"
#include "server/web/api/picture.h"

namespace kwta::server {
namespace {

using nlohmann::json;

// How many units or maps of a code are listed, strongest first.
constexpr size_t kMostListed = 64;

v1::Tensor TensorOfRow(const RowsView& row) {
  v1::Tensor tensor;
  tensor.add_shape(1);
  tensor.add_shape(row.width);
  switch (row.dtype) {
    case DType::kU8:
      tensor.set_dtype(v1::DTYPE_U8);
      break;
    case DType::kF16:
      tensor.set_dtype(v1::DTYPE_F16);
      break;
    case DType::kBF16:
      tensor.set_dtype(v1::DTYPE_BF16);
      break;
    default:
      tensor.set_dtype(v1::DTYPE_F32);
  }
  tensor.set_raw(row.data, row.row_bytes());
  return tensor;
}

template <typename Request>
Request RequestFor(const ServedModel& model, const RowsView& row) {
  Request request;
  request.set_model(model.name);
  request.set_version(model.version);
  *request.mutable_input() = TensorOfRow(row);
  return request;
}

// Returns the row after the steps of preprocessing, as the reconstruction describes it.
absl::StatusOr<std::vector<float>> AfterSteps(const ServedModel& model, const RowsView& row) {
  const v1::PreprocessingSpec& spec = model.description.preprocessing();
  std::vector<float> seen(model.encoder->reconstruction_width());
  if (spec.steps_size() == DatasetSteps(spec)) {
    Preprocessor(spec, {}).ToFloat(row, seen.data());
    return seen;
  }
  KWTA_ASSIGN_OR_RETURN(const ModelBundle bundle, ReadModelBundle(model.directory, "preprocessing."));
  const int64_t views = SeparatesViews(spec) ? spec.input().channels() : 1;
  v1::PreprocessingSpec without_mean = spec;
  without_mean.set_subtract_mean(false);
  KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                        Preprocessor::Load(without_mean, row.width / views, bundle.tensors));
  KWTA_RETURN_IF_ERROR(preprocessor.ApplySteps({row.dtype, row.data, views, row.width / views}, seen.data()));
  return seen;
}

// The shape of the picture of such a row. Views stand above each other if they have one channel.
Shape SeenShape(const ServedModel& model) {
  Shape shape = EncoderImageOf(model.description);
  const int64_t views = model.encoder->reconstruction_width() / std::max<int64_t>(1, ElementCount(shape));
  shape[shape[0] == 1 ? 1 : 0] *= views;
  if (ElementCount(shape) != model.encoder->reconstruction_width()) {
    return {1, 1, model.encoder->reconstruction_width()};
  }
  return shape;
}

json UnitsJson(const SparseCodes& codes) {
  std::vector<size_t> order(codes.indices.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&codes](size_t a, size_t b) {
    const float first = std::fabs(codes.values[a]), second = std::fabs(codes.values[b]);
    return first != second ? first > second : codes.indices[a] < codes.indices[b];
  });
  json units = json::array();
  for (size_t i = 0; i < std::min(order.size(), kMostListed); ++i) {
    units.push_back({{"unit", codes.indices[order[i]]}, {"value", codes.values[order[i]]}});
  }
  return units;
}

// Each map with its winner, and its activities as bytes, 255 at the winner.
json MapsJson(const float* code, int64_t maps, int64_t height, int64_t width) {
  const int64_t positions = height * width;
  std::vector<int64_t> winners(maps), order(maps);
  for (int64_t m = 0; m < maps; ++m) {
    const float* map = code + m * positions;
    winners[m] = std::max_element(map, map + positions) - map;
  }
  const auto peak = [&](int64_t m) { return code[m * positions + winners[m]]; };
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return peak(a) > peak(b); });
  json result = json::array();
  for (size_t i = 0; i < std::min(order.size(), kMostListed); ++i) {
    const int64_t m = order[i];
    if (peak(m) <= 0) break;
    std::string cells(positions, '\0');
    for (int64_t p = 0; p < positions; ++p) {
      const float share = std::clamp(code[m * positions + p] / peak(m), 0.0f, 1.0f);
      cells[p] = static_cast<char>(static_cast<uint8_t>(std::lround(share * 255)));
    }
    result.push_back({{"map", m},
                      {"value", peak(m)},
                      {"y", winners[m] / width},
                      {"x", winners[m] % width},
                      {"cells", absl::Base64Escape(cells)}});
  }
  return result;
}

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

// |x - xhat|^2 / |x|^2.
double RelativeError(const std::vector<float>& x, const float* reconstruction) {
  double error = 0, length = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += std::pow(double{x[i]} - reconstruction[i], 2);
    length += std::pow(double{x[i]}, 2);
  }
  return length > 0 ? error / length : 0;
}

}  // namespace

json PictureJson(const std::vector<float>& elements, const Shape& shape, float low, float high) {
  const Image image = DrawRow(elements, shape, low, high);
  const absl::StatusOr<std::string> png = EncodePng(image);
  if (!png.ok()) return {};  // more than 2^31 pixels a side: no row is that long
  return {{"channels", image.channels},
          {"height", image.height},
          {"width", image.width},
          {"png", absl::Base64Escape(*png)}};
}

absl::StatusOr<json> ExamineRow(EncodeHandler* encode, const ServedModelPtr& model, const RowsView& row,
                                const CallContext& context) {
  KWTA_ASSIGN_OR_RETURN(const EncodedRows encoded, encode->Wait(RequestFor<v1::EncodeRequest>(*model, row), context));
  KWTA_ASSIGN_OR_RETURN(const EncodedRows decoded,
                        encode->Wait(RequestFor<v1::ReconstructRequest>(*model, row), context));
  KWTA_ASSIGN_OR_RETURN(const std::vector<float> seen, AfterSteps(*model, row));
  const float* reconstruction = std::get<Tensor>(decoded.result.codes).as<float>();
  float low = 0, high = 1;  // pixels, unless steps have made something else of them
  const v1::PreprocessingSpec& spec = model->description.preprocessing();
  const bool pixels = spec.steps_size() == DatasetSteps(spec) && row.dtype == DType::kU8;
  if (!pixels) {
    const auto [smallest, largest] = std::minmax_element(seen.begin(), seen.end());
    low = *smallest;
    high = *largest;
  }
  const Shape shape = SeenShape(*model);
  json result = {{"model", model->name},
                 {"version", model->version},
                 {"input", PictureJson(seen, shape, low, high)},
                 {"reconstruction", PictureJson({reconstruction, reconstruction + seen.size()}, shape, low, high)},
                 {"relative_error", RelativeError(seen, reconstruction)},
                 {"queue_ms", Milliseconds(encoded.result.queued)},
                 {"compute_ms", Milliseconds(encoded.result.computed)}};
  const Codes& codes = encoded.result.codes;
  const Shape code = CodeShape(model->description);
  if (const auto* dense = std::get_if<Tensor>(&codes); dense != nullptr && code.size() == 3) {
    result["maps"] = MapsJson(dense->as<float>(), code[0], code[1], code[2]);
    result["map"] = {{"height", code[1]}, {"width", code[2]}};
  } else {
    SparseCodes scratch;
    const SparseCodes& sparse = AsSparse(codes, &scratch);
    result["active"] = sparse.entries();
    result["units"] = UnitsJson(sparse);
  }
  return result;
}

}  // namespace kwta::server

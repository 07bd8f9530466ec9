#include "server/web/api/unit_pictures.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/io/bundle_files.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "server/web/api/picture.h"

namespace kwta::server {
namespace {

// Elements of lower layers' filters that a call keeps: 64 MiB.
constexpr size_t kMostElementsKept = 1 << 24;

// Returns the positions of the `most` elements of largest magnitude that are not zero.
std::vector<int64_t> Strongest(const std::vector<float>& values, int64_t most) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const int64_t kept = std::min<int64_t>(most, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&values](int64_t a, int64_t b) {
    const float magnitude_a = std::fabs(values[a]), magnitude_b = std::fabs(values[b]);
    return magnitude_a != magnitude_b ? magnitude_a > magnitude_b : a < b;
  });
  order.resize(kept);
  while (!order.empty() && values[order.back()] == 0) order.pop_back();
  return order;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const UnitPictures>> UnitPictures::Open(const std::string& directory,
                                                                       const v1::ModelDescription& model) {
  const std::string path = absl::StrCat(directory, "/", kBundleTensorFile);
  KWTA_RETURN_IF_ERROR(CheckIsNoLink(path));
  KWTA_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::Open(path));
  std::shared_ptr<UnitPictures> pictures(new UnitPictures(std::move(reader)));
  const int layers = LayerCount(model.encoder());
  Shape input = EncoderImageOf(model);
  for (int i = 0; i < layers; ++i) {
    const v1::EncoderSpec& spec = LayerSpec(model.encoder(), i);
    const std::string prefix = model.encoder().has_stack() ? absl::StrCat("layers.", i, ".") : "";
    KWTA_RETURN_IF_ERROR(pictures->AddLayer(spec, prefix, input));
    const EncoderKind* kind = FindEncoderKind(spec);
    input = AsImage(kind->code_shape(spec));
    // The layer above sees the codes of all views.
    if (i == 0 && SeparatesViews(model.preprocessing())) input[0] *= model.preprocessing().input().channels();
  }
  pictures->drawn_ = pictures->layers_.back().filter;
  for (size_t i = pictures->layers_.size() - 1; i > 0; --i) {
    pictures->drawn_ = pictures->ShapeBelow(i - 1, pictures->drawn_);
  }
  pictures->shape_ = ShownShape(pictures->drawn_);
  return pictures;
}

absl::Status UnitPictures::AddLayer(const v1::EncoderSpec& spec, const std::string& prefix, const Shape& input) {
  Layer layer;
  layer.input = layer.filter = input;
  layer.filters = reader_.Find(prefix + "atoms");
  if (layer.filters == nullptr && spec.has_winner_take_all()) {
    layer.maps = true;
    layer.stride = spec.winner_take_all().pool_stride();
    layer.filters = reader_.Find(prefix + "decoder_filters");
    if (layer.filters == nullptr) layer.filters = reader_.Find(prefix + "filters");
  }
  if (layer.filters == nullptr) {
    return absl::UnimplementedError(absl::StrCat("units of a layer of kind ", EncoderKindName(spec),
                                                 " have no picture: the bundle has neither atoms nor filters"));
  }
  const Shape& stored = layer.filters->shape;
  if (layer.maps && stored.size() == 4) layer.filter = {stored[1], stored[2], stored[3]};
  const bool fits = layer.filters->dtype == DType::kF32 && stored.size() == (layer.maps ? 4 : 2) && stored[0] > 0 &&
                    ElementCount(stored) == stored[0] * ElementCount(layer.filter) && layer.filter[0] == layer.input[0];
  if (!fits) {
    return absl::DataLossError(absl::StrCat("tensor '", layer.filters->name, "' has shape ", ShapeString(stored),
                                            ", which does not fit inputs of ", ShapeString(input)));
  }
  layer.count = stored[0];
  if (!layers_.empty() && layers_.back().maps && layer.maps && layer.input[0] != layers_.back().count) {
    return absl::UnimplementedError("units above maps of several views have no picture");
  }
  layers_.push_back(std::move(layer));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> UnitPictures::FilterOf(const Layer& layer, int64_t unit) const {
  const int64_t elements = ElementCount(layer.filter);
  std::vector<float> filter(elements);
  KWTA_RETURN_IF_ERROR(reader_.Read(*layer.filters, unit * elements, elements, filter.data()));
  return filter;
}

absl::StatusOr<const std::vector<float>*> UnitPictures::LowerFilter(size_t layer, int64_t unit, Filters* read) const {
  const int64_t key = unit * static_cast<int64_t>(layers_.size()) + static_cast<int64_t>(layer);
  if (const auto found = read->find(key); found != read->end()) return &found->second;
  if ((read->size() + 1) * ElementCount(layers_[layer].filter) > kMostElementsKept) read->clear();
  KWTA_ASSIGN_OR_RETURN((*read)[key], FilterOf(layers_[layer], unit));
  return &(*read)[key];
}

Shape UnitPictures::ShapeBelow(size_t layer, const Shape& plane) const {
  const Layer& below = layers_[layer];
  if (!below.maps) return below.input;
  return {below.input[0], (plane[1] - 1) * below.stride + below.filter[1],
          (plane[2] - 1) * below.stride + below.filter[2]};
}

absl::StatusOr<UnitPictures::Plane> UnitPictures::Project(size_t layer, const Plane& activities, Filters* read) const {
  const Layer& below = layers_[layer];
  Plane plane{ShapeBelow(layer, activities.shape), {}};
  plane.values.resize(ElementCount(plane.shape));
  const int64_t positions = below.maps ? activities.shape[1] * activities.shape[2] : 1;
  for (const int64_t entry : Strongest(activities.values, kStrongest)) {
    const float activity = activities.values[entry];
    // Units of several views share their filters.
    const int64_t unit = entry / positions % below.count;
    const int64_t top = entry % positions / (below.maps ? activities.shape[2] : 1) * below.stride;
    const int64_t left = below.maps ? entry % activities.shape[2] * below.stride : 0;
    KWTA_ASSIGN_OR_RETURN(const std::vector<float>* filter, LowerFilter(layer, unit, read));
    const float* from = filter->data();
    for (int64_t c = 0; c < below.filter[0]; ++c) {
      for (int64_t y = 0; y < below.filter[1]; ++y) {
        float* line = plane.values.data() + ((c * plane.shape[1] + top + y) * plane.shape[2] + left);
        for (int64_t x = 0; x < below.filter[2]; ++x) line[x] += activity * *from++;
      }
    }
  }
  return plane;
}

absl::StatusOr<Image> UnitPictures::Draw(const std::vector<int64_t>& units, int64_t columns) const {
  const auto asked = static_cast<int64_t>(units.size());
  if (asked < 1 || asked > kMost) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", asked, " units; expected 1 .. ", kMost));
  }
  Filters read;
  std::vector<float> pictures;
  pictures.reserve(asked * ElementCount(shape_));
  for (const int64_t unit : units) {
    if (unit < 0 || unit >= count()) {
      return absl::InvalidArgumentError(absl::StrCat("unit is ", unit, "; expected 0 .. ", count() - 1));
    }
    Plane plane{layers_.back().filter, {}};
    KWTA_ASSIGN_OR_RETURN(plane.values, FilterOf(layers_.back(), unit));
    for (size_t layer = layers_.size() - 1; layer > 0; --layer) {
      KWTA_ASSIGN_OR_RETURN(plane, Project(layer - 1, plane, &read));
    }
    const std::vector<float> shown = Shown(plane.values, drawn_);
    pictures.insert(pictures.end(), shown.begin(), shown.end());
  }
  KWTA_RETURN_IF_ERROR(reader_.CheckUnchanged());
  TileOptions options;
  options.columns = columns;
  options.gap = 0;
  return TileFilters(pictures.data(), asked, shape_, options);
}

}  // namespace kwta::server

#include "server/web/api/picture.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/encoders/stack.h"
#include "core/io/images/jpeg.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/preprocessing/resize.h"

namespace kwta::server {
namespace {

// A longer line is folded.
constexpr int64_t kLongestLine = 32;
constexpr float kBicubicSlope = -0.5f;

Shape ShapeOf(const v1::ImageShape& image) { return {image.channels(), image.height(), image.width()}; }

bool IsFolded(const Shape& shape) { return shape[0] == 1 && shape[1] == 1 && shape[2] > kLongestLine; }

// The image of a row of the data set, before any step.
Shape DataImageOf(const v1::ModelDescription& model) {
  if (model.preprocessing().has_input()) return ShapeOf(model.preprocessing().input());
  const v1::EncoderSpec& lowest = LayerSpec(model.encoder(), 0);
  if (model.preprocessing().steps_size() == 0 && lowest.winner_take_all().has_input()) {
    return ShapeOf(lowest.winner_take_all().input());
  }
  return {1, 1, model.input_width()};
}

// Planes [channels, height, width] of floats, 0 .. 255, with 1 or 3 channels.
std::vector<float> PlanesOf(const Image& image, int64_t channels) {
  const int64_t pixels = image.height * image.width;
  std::vector<float> planes(channels * pixels);
  for (int64_t i = 0; i < pixels; ++i) {
    const uint8_t* pixel = image.pixels.data() + i * image.channels;
    if (image.channels == channels) {
      for (int64_t c = 0; c < channels; ++c) planes[c * pixels + i] = pixel[c];
    } else {
      const float grey = image.channels == 1 ? pixel[0] : 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
      for (int64_t c = 0; c < channels; ++c) planes[c * pixels + i] = grey;
    }
  }
  return planes;
}

// Keeps the middle of the image with the proportions height : width.
Image CropToProportions(const Image& image, int64_t height, int64_t width) {
  Image cropped{image.channels, image.height, image.width, {}};
  if (image.width * height > image.height * width) {
    cropped.width = std::max<int64_t>(1, image.height * width / height);
  } else {
    cropped.height = std::max<int64_t>(1, image.width * height / width);
  }
  const int64_t top = (image.height - cropped.height) / 2, left = (image.width - cropped.width) / 2;
  cropped.pixels.reserve(cropped.channels * cropped.height * cropped.width);
  for (int64_t y = 0; y < cropped.height; ++y) {
    const auto line = image.pixels.begin() + ((top + y) * image.width + left) * image.channels;
    cropped.pixels.insert(cropped.pixels.end(), line, line + cropped.width * image.channels);
  }
  return cropped;
}

}  // namespace

Shape InputImageOf(const v1::ModelDescription& model) {
  Shape shape = DataImageOf(model);
  if (const v1::RandomPatchesStep* patches = FindRandomPatches(model.preprocessing()); patches != nullptr) {
    shape[1] = shape[2] = patches->size();
  }
  if (ElementCount(shape) != model.input_width()) return {1, 1, model.input_width()};
  return shape;
}

Shape EncoderImageOf(const v1::ModelDescription& model) {
  const absl::StatusOr<std::vector<Shape>> shapes = PreprocessedShapes(model.preprocessing(), DataImageOf(model));
  return shapes.ok() ? shapes->back() : InputImageOf(model);
}

Shape ShownShape(const Shape& shape) {
  if (!IsFolded(shape)) return {shape[0] == 3 ? 3 : 1, shape[1], shape[2]};
  const auto side = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(shape[2]))));
  return {1, DivideUp(shape[2], side), side};
}

std::vector<float> Shown(const std::vector<float>& elements, const Shape& shape) {
  if (IsFolded(shape)) {
    std::vector<float> folded = elements;
    folded.resize(ElementCount(ShownShape(shape)), *std::min_element(elements.begin(), elements.end()));
    return folded;
  }
  if (shape[0] == 1 || shape[0] == 3) return elements;
  const int64_t pixels = shape[1] * shape[2];
  std::vector<float> mean(pixels, 0);
  for (int64_t c = 0; c < shape[0]; ++c) {
    for (int64_t i = 0; i < pixels; ++i) mean[i] += elements[c * pixels + i] / static_cast<float>(shape[0]);
  }
  return mean;
}

Image DrawRow(const std::vector<float>& elements, const Shape& shape, float low, float high) {
  const Shape extents = ShownShape(shape);
  const std::vector<float> shown = Shown(elements, shape);
  Image image{extents[0], extents[1], extents[2], {}};
  const int64_t pixels = image.height * image.width;
  image.pixels.resize(image.channels * pixels);
  const float scale = high > low ? 255 / (high - low) : 0;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t c = 0; c < image.channels; ++c) {
      const float level = std::clamp((shown[c * pixels + i] - low) * scale, 0.0f, 255.0f);
      image.pixels[i * image.channels + c] = static_cast<uint8_t>(std::lround(level));
    }
  }
  return image;
}

absl::StatusOr<Image> DecodePicture(absl::string_view file) {
  constexpr char kName[] = "the picture";
  absl::StatusOr<Image> image = absl::InvalidArgumentError(
      absl::StrCat("the body of ", file.size(), " bytes is neither a PNG nor a JPEG picture; send one of these"));
  if (absl::StartsWith(file, "\x89PNG")) image = DecodePng(file, kName, kMaxPicturePixels);
  if (absl::StartsWith(file, "\xff\xd8")) image = DecodeJpeg(file, kName, kMaxPicturePixels);
  // What the caller sent is damaged, not what the server keeps.
  if (absl::IsDataLoss(image.status())) return absl::InvalidArgumentError(image.status().message());
  return image;
}

std::vector<uint8_t> RowOfPicture(const Image& image, const Shape& shape) {
  const Image cropped = CropToProportions(image, shape[1], shape[2]);
  const int64_t channels = shape[0] == 3 ? 3 : 1;
  const std::vector<float> planes = PlanesOf(cropped, channels);
  const int64_t pixels = shape[1] * shape[2];
  std::vector<float> resized(channels * pixels);
  MakeResizeStep({channels, cropped.height, cropped.width}, shape[1], shape[2], kBicubicSlope)
      ->Apply(planes.data(), 1, resized.data());
  std::vector<uint8_t> row(shape[0] * pixels);
  for (int64_t c = 0; c < shape[0]; ++c) {
    const float* plane = resized.data() + (channels == 3 ? c : 0) * pixels;
    for (int64_t i = 0; i < pixels; ++i) {
      row[c * pixels + i] = static_cast<uint8_t>(std::lround(std::clamp(plane[i], 0.0f, 255.0f)));
    }
  }
  return row;
}

}  // namespace kwta::server

#include "core/preprocessing/preprocessing_spec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/array_bytes.h"

namespace kwta {
namespace {

using v1::PreprocessingStep;

constexpr int kMaxSteps = 16;
constexpr uint32_t kMaxSide = 4096;
constexpr uint32_t kMaxPatches = 1'000'000'000;
constexpr int64_t kMaxWhitenedWidth = 8192;

std::string StepName(int i) { return absl::StrCat("preprocessing.steps[", i, "]"); }

// Returns the name of the step's kind in the proto file.
std::string KindName(const PreprocessingStep& step) {
  return PreprocessingStep::descriptor()->FindFieldByNumber(step.kind_case())->name();
}

bool IsPositive(float value) { return value > 0 && std::isfinite(value); }

// Resolves the fields of one step. Messages call it `name`.
absl::Status ResolveStep(const std::string& name, float u8_divisor, PreprocessingStep* step) {
  switch (step->kind_case()) {
    case PreprocessingStep::kSeparateViews:
    case PreprocessingStep::kGrey:
      return absl::OkStatus();
    case PreprocessingStep::kRandomPatches: {
      v1::RandomPatchesStep& patches = *step->mutable_random_patches();
      if (!patches.has_size()) patches.set_size(8);
      if (!patches.has_patches()) patches.set_patches(1'000'000);
      if (!patches.has_seed()) patches.set_seed(1);
      if (patches.size() < 1 || patches.size() > kMaxSide) {
        return InvalidField(name + ".size", patches.size(), absl::StrCat("1 .. ", kMaxSide));
      }
      if (patches.patches() < 1 || patches.patches() > kMaxPatches) {
        return InvalidField(name + ".patches", patches.patches(), absl::StrCat("1 .. ", kMaxPatches));
      }
      return absl::OkStatus();
    }
    case PreprocessingStep::kCrop:
      if (step->crop().height() < 1 || step->crop().width() < 1) {
        return InvalidField(name, absl::StrCat(step->crop().height(), " x ", step->crop().width()),
                            "height and width of at least 1, both set");
      }
      return absl::OkStatus();
    case PreprocessingStep::kResize: {
      v1::ResizeStep& resize = *step->mutable_resize();
      if (!resize.has_a()) resize.set_a(-0.5f);
      if (resize.height() < 1 || resize.width() < 1 || resize.height() > kMaxSide || resize.width() > kMaxSide) {
        return InvalidField(name, absl::StrCat(resize.height(), " x ", resize.width()),
                            absl::StrCat("height and width of 1 .. ", kMaxSide, ", both set"));
      }
      if (!(resize.a() >= -1 && resize.a() <= 0)) return InvalidField(name + ".a", resize.a(), "-1 .. 0");
      return absl::OkStatus();
    }
    case PreprocessingStep::kScale:
      if (!step->scale().has_factor() || !std::isfinite(step->scale().factor()) || step->scale().factor() == 0) {
        return InvalidField(name + ".factor",
                            step->scale().has_factor() ? absl::StrCat(step->scale().factor()) : "not set",
                            "a finite number other than 0");
      }
      return absl::OkStatus();
    case PreprocessingStep::kStandardise: {
      v1::StandardiseStep& standardise = *step->mutable_standardise();
      if (!standardise.has_constant()) standardise.set_constant(0.001f);
      if (IsPositive(standardise.constant())) return absl::OkStatus();
      return InvalidField(name + ".constant", standardise.constant(), "a finite number above 0, such as 0.001");
    }
    case PreprocessingStep::kGlobalContrast: {
      v1::GlobalContrastStep& contrast = *step->mutable_global_contrast();
      if (!contrast.has_constant()) contrast.set_constant(10 / u8_divisor / u8_divisor);
      if (!contrast.has_unit_length()) contrast.set_unit_length(false);
      if (IsPositive(contrast.constant())) return absl::OkStatus();
      return InvalidField(name + ".constant", contrast.constant(), "a finite number above 0, such as 0.00015");
    }
    case PreprocessingStep::kLocalContrast: {
      v1::LocalContrastStep& contrast = *step->mutable_local_contrast();
      if (!contrast.has_window()) contrast.set_window(9);
      if (!contrast.has_across_channels()) contrast.set_across_channels(true);
      if (!contrast.has_constant()) contrast.set_constant(1 / u8_divisor);
      if (contrast.window() < 3 || contrast.window() > 255 || contrast.window() % 2 == 0) {
        return InvalidField(name + ".window", contrast.window(), "an odd number, 3 .. 255");
      }
      if (IsPositive(contrast.constant())) return absl::OkStatus();
      return InvalidField(name + ".constant", contrast.constant(), "a finite number above 0, such as 0.004");
    }
    case PreprocessingStep::kWhiten: {
      v1::WhitenStep& whiten = *step->mutable_whiten();
      if (!whiten.has_epsilon()) whiten.set_epsilon(0.1f);
      if (IsPositive(whiten.epsilon())) return absl::OkStatus();
      return InvalidField(name + ".epsilon", whiten.epsilon(), "a finite number above 0, such as 0.1");
    }
    case PreprocessingStep::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(name, " names no kind of step that this program knows"));
}

// Returns whether a step needs pixels. standardise and whiten leave none.
bool NeedsPixels(const PreprocessingStep& step) {
  return step.has_grey() || step.has_crop() || step.has_resize() || step.has_local_contrast();
}

absl::Status CheckOrder(const v1::PreprocessingSpec& spec) {
  bool pixels = true;
  for (int i = 0; i < spec.steps_size(); ++i) {
    const PreprocessingStep& step = spec.steps(i);
    if (step.has_separate_views() && i > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(StepName(i), " is separate_views; it can only be the first step, as it acts on whole rows"));
    }
    if (step.has_random_patches() && !(i == 0 || (i == 1 && SeparatesViews(spec)))) {
      return absl::InvalidArgumentError(
          absl::StrCat(StepName(i),
                       " is random_patches; it can only be the first step, or the second after separate_views: at "
                       "Encode a row is a patch, to which the steps before could not be applied"));
    }
    if (NeedsPixels(step) && !pixels) {
      return absl::InvalidArgumentError(absl::StrCat(StepName(i), " is ", KindName(step),
                                                     ", which needs pixels; put it before standardise and whiten"));
    }
    if (step.has_standardise() || step.has_whiten()) pixels = false;
  }
  return absl::OkStatus();
}

// Returns the output shape of a step for images of shape `in`.
absl::StatusOr<Shape> OutputShape(const std::string& name, const PreprocessingStep& step, const Shape& in) {
  const auto refuse = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, what, "; its input is an image of ", ShapeString(in), " [channels, height, width]"));
  };
  switch (step.kind_case()) {
    case PreprocessingStep::kSeparateViews:
      if (in[0] < 2) return refuse(" separates views, of which there are at least 2");
      return Shape{1, in[1], in[2]};
    case PreprocessingStep::kRandomPatches: {
      const int64_t size = step.random_patches().size();
      if (size > in[1] || size > in[2]) return refuse(absl::StrCat(" takes patches of ", size, " x ", size));
      return Shape{in[0], size, size};
    }
    case PreprocessingStep::kGrey:
      if (in[0] != 3) return refuse(" makes red, green and blue grey, which takes 3 channels");
      return Shape{1, in[1], in[2]};
    case PreprocessingStep::kCrop:
      if (step.crop().height() > in[1] || step.crop().width() > in[2]) {
        return refuse(absl::StrCat(" keeps the inner ", step.crop().height(), " x ", step.crop().width()));
      }
      return Shape{in[0], step.crop().height(), step.crop().width()};
    case PreprocessingStep::kResize:
      return Shape{in[0], step.resize().height(), step.resize().width()};
    case PreprocessingStep::kWhiten:
      if (ElementCount(in) > kMaxWhitenedWidth) {
        return refuse(
            absl::StrCat(" whitens at most ", kMaxWhitenedWidth, " dimensions (crop, resize or take patches)"));
      }
      return in;
    default:
      return in;
  }
}

}  // namespace

absl::Status ResolvePreprocessing(v1::PreprocessingSpec* spec) {
  if (!spec->has_u8_divisor()) spec->set_u8_divisor(255);
  if (!spec->has_subtract_mean()) spec->set_subtract_mean(false);
  if (!IsPositive(spec->u8_divisor())) {
    return InvalidField("preprocessing.u8_divisor", spec->u8_divisor(), "a finite number above 0, such as 255");
  }
  if (spec->steps_size() > kMaxSteps) {
    return InvalidField("the number of preprocessing.steps", spec->steps_size(), absl::StrCat("0 .. ", kMaxSteps));
  }
  for (int i = 0; i < spec->steps_size(); ++i) {
    PreprocessingStep* step = spec->mutable_steps(i);
    const std::string name =
        step->kind_case() == PreprocessingStep::KIND_NOT_SET ? StepName(i) : StepName(i) + "." + KindName(*step);
    KWTA_RETURN_IF_ERROR(ResolveStep(name, spec->u8_divisor(), step));
  }
  KWTA_RETURN_IF_ERROR(CheckOrder(*spec));
  if (!spec->has_input()) return absl::OkStatus();
  const Shape image = {spec->input().channels(), spec->input().height(), spec->input().width()};
  const std::optional<uint64_t> bytes = ArrayBytes(DType::kF32, image);
  if (!bytes || *bytes == 0 || *bytes > std::numeric_limits<int32_t>::max()) {
    return InvalidField("preprocessing.input", ShapeString(image),
                        "three extents of at least 1 and less than 2^29 elements");
  }
  return PreprocessedShapes(*spec, image).status();
}

Shape AsImage(const Shape& row_shape) {
  if (row_shape.size() == 3) return row_shape;
  if (row_shape.size() == 2) return {1, row_shape[0], row_shape[1]};
  return {1, 1, ElementCount(row_shape)};
}

absl::StatusOr<std::vector<Shape>> PreprocessedShapes(const v1::PreprocessingSpec& spec, const Shape& image) {
  std::vector<Shape> shapes = {image};
  for (int i = 0; i < spec.steps_size(); ++i) {
    KWTA_ASSIGN_OR_RETURN(Shape next,
                          OutputShape(StepName(i) + "." + KindName(spec.steps(i)), spec.steps(i), shapes.back()));
    shapes.push_back(std::move(next));
  }
  return shapes;
}

absl::StatusOr<Shape> InputImage(const v1::PreprocessingSpec& spec, const Shape& row_shape) {
  if (!spec.has_input()) return AsImage(row_shape);
  const Shape image = {spec.input().channels(), spec.input().height(), spec.input().width()};
  if (ElementCount(image) == ElementCount(row_shape)) return image;
  return InvalidField(
      "preprocessing.input", ShapeString(image),
      absl::StrCat(ElementCount(row_shape), " elements, the width of a row of the data, ", ShapeString(row_shape)));
}

int DatasetSteps(const v1::PreprocessingSpec& spec) {
  int steps = 0;
  while (steps < spec.steps_size() &&
         (spec.steps(steps).has_separate_views() || spec.steps(steps).has_random_patches())) {
    ++steps;
  }
  return steps;
}

const v1::RandomPatchesStep* FindRandomPatches(const v1::PreprocessingSpec& spec) {
  for (int i = 0; i < DatasetSteps(spec); ++i) {
    if (spec.steps(i).has_random_patches()) return &spec.steps(i).random_patches();
  }
  return nullptr;
}

bool SeparatesViews(const v1::PreprocessingSpec& spec) {
  return spec.steps_size() > 0 && spec.steps(0).has_separate_views();
}

}  // namespace kwta

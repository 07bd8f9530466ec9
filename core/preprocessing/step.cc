#include "core/preprocessing/step.h"

#include "core/preprocessing/contrast.h"
#include "core/preprocessing/pixel_steps.h"
#include "core/preprocessing/resize.h"
#include "core/preprocessing/standardise.h"
#include "core/preprocessing/whiten.h"

namespace kwta {
namespace {

using v1::PreprocessingStep;

// Returns the step if it has nothing to fit, else null.
std::shared_ptr<const Step> MakeStep(const PreprocessingStep& spec, const Shape& input) {
  switch (spec.kind_case()) {
    case PreprocessingStep::kGrey:
      return MakeGreyStep(input);
    case PreprocessingStep::kCrop:
      return MakeCropStep(input, spec.crop().height(), spec.crop().width());
    case PreprocessingStep::kResize:
      return MakeResizeStep(input, spec.resize().height(), spec.resize().width(), spec.resize().a());
    case PreprocessingStep::kScale:
      return MakeScaleStep(input, spec.scale().factor());
    case PreprocessingStep::kGlobalContrast:
      return MakeGlobalContrastStep(input, spec.global_contrast());
    case PreprocessingStep::kLocalContrast:
      return MakeLocalContrastStep(input, spec.local_contrast());
    default:
      return nullptr;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Step>> FitStep(const PreprocessingStep& spec, const std::string& name,
                                                    const Shape& input, const FittingRows& rows) {
  if (spec.has_standardise()) return FitStandardiseStep(input, spec.standardise().constant(), rows);
  if (spec.has_whiten()) return FitWhitenStep(name, input, spec.whiten().epsilon(), rows);
  return MakeStep(spec, input);
}

absl::StatusOr<std::shared_ptr<const Step>> LoadStep(const PreprocessingStep& spec, const std::string& prefix,
                                                     const Shape& input, const TensorMap& tensors) {
  if (spec.has_standardise()) return LoadStandardiseStep(input, spec.standardise().constant(), prefix, tensors);
  if (spec.has_whiten()) return LoadWhitenStep(input, prefix, tensors);
  return MakeStep(spec, input);
}

bool IsCostly(const PreprocessingStep& spec) {
  return spec.has_resize() || spec.has_local_contrast() || spec.has_whiten();
}

}  // namespace kwta

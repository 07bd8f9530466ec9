#include "core/encoders/affine_layer.h"

#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"

namespace kwta {

AffineLayer::AffineLayer(int64_t units, Preprocessor preprocessor, std::shared_ptr<Backend> backend)
    : units_(units),
      width_(ElementCount(preprocessor.output_shape())),
      preprocessor_(std::move(preprocessor)),
      backend_(std::move(backend)) {}

absl::StatusOr<AffineLayer> AffineLayer::Load(const ModelBundle& bundle, int64_t units,
                                              std::shared_ptr<Backend> backend) {
  const int64_t input_width = bundle.description.input_width();
  if (input_width < 1 || bundle.description.code_width() != units) {
    return absl::DataLossError(absl::StrCat("the model's description has input_width ", input_width, " and code_width ",
                                            bundle.description.code_width(), "; expected at least 1, and ", units,
                                            ", the units"));
  }
  KWTA_ASSIGN_OR_RETURN(Preprocessor preprocessor,
                        Preprocessor::Load(bundle.description.preprocessing(), input_width, bundle.tensors));
  AffineLayer layer(units, std::move(preprocessor), std::move(backend));
  KWTA_ASSIGN_OR_RETURN(const float* atoms, FindFloats(bundle.tensors, "atoms", {units, layer.width_}));
  KWTA_ASSIGN_OR_RETURN(const float* bias, FindFloats(bundle.tensors, "bias", {units}));
  KWTA_ASSIGN_OR_RETURN(const float* decoder_bias, FindFloats(bundle.tensors, "decoder_bias", {layer.width_}));
  KWTA_RETURN_IF_ERROR(layer.Fold(atoms, bias, decoder_bias));
  return layer;
}

absl::Status AffineLayer::Fold(const float* atoms, const float* bias, const float* decoder_bias) {
  std::vector<float> folded_bias(bias, bias + units_);
  std::vector<float> folded_decoder_bias(decoder_bias, decoder_bias + width_);
  if (!preprocessor_.mean().empty()) {
    const float* mean = preprocessor_.mean().data();
    for (int64_t j = 0; j < units_; ++j) {
      const double shift = std::inner_product(mean, mean + width_, atoms + j * width_, 0.0, std::plus<>(),
                                              [](float m, float w) { return double{m} * w; });
      folded_bias[j] = static_cast<float>(bias[j] - shift);
    }
    for (int64_t d = 0; d < width_; ++d) folded_decoder_bias[d] += mean[d];
  }
  KWTA_ASSIGN_OR_RETURN(atoms_, CopyToBackend(*backend_, atoms, units_ * width_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(bias_, CopyToBackend(*backend_, folded_bias.data(), units_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(decoder_bias_, CopyToBackend(*backend_, folded_decoder_bias.data(), width_ * sizeof(float)));
  return absl::OkStatus();
}

absl::Status AffineLayer::Decode(const int32_t* indices, const float* values, int64_t rows, int64_t k,
                                 float* out) const {
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_indices,
                        StagedInput::Create(*backend_, indices, rows * k * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_values,
                        StagedInput::Create(*backend_, values, rows * k * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(*backend_, out, rows * width_ * sizeof(float)));
  SparseDecodeArgs args;
  args.atoms = atoms();
  args.bias = decoder_bias_.as<float>();
  args.indices = staged_indices.as<int32_t>();
  args.values = staged_values.as<float>();
  args.rows = rows;
  args.k = k;
  args.width = width_;
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->SparseDecode(args));
  return output.Finish(*backend_);
}

}  // namespace kwta

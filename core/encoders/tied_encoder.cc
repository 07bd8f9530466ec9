#include "core/encoders/tied_encoder.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"

namespace kwta {
namespace {

class TiedEncoder : public Encoder {
 public:
  TiedEncoder(const TiedEncoderForm& form, Preprocessor preprocessor, std::shared_ptr<Backend> backend)
      : form_(form),
        units_(form.units),
        width_(ElementCount(preprocessor.output_shape())),
        preprocessor_(std::move(preprocessor)),
        backend_(std::move(backend)) {}

  // Takes arrays as the bundle stores them.
  absl::Status Load(const float* atoms, const float* bias, const float* decoder_bias) {
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

  int64_t input_width() const override { return ElementCount(preprocessor_.input_shape()); }
  int64_t reconstruction_width() const override { return width_; }
  int64_t code_width() const override { return units_; }
  int64_t parameter_bytes() const override {
    return static_cast<int64_t>(atoms_.bytes() + bias_.bytes() + decoder_bias_.bytes());
  }
  bool dense_codes() const override { return form_.activation != Activation::kReLU; }
  bool takes_k() const override { return false; }

  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override {
    if (options.alpha == 0 && options.k == 0) return units_;
    return absl::InvalidArgumentError(absl::StrCat(
        options.k != 0 ? absl::StrCat("k is ", options.k) : absl::StrCat("alpha is ", options.alpha),
        "; expected neither k nor alpha: this model is ", form_.kind, ", whose codes keep every activity"));
  }
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override;
  absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const override;
  absl::Status Decode(const SparseCodes& codes, float* out) const override;

 private:
  // How many rows fit in a block if each needs `row_floats` floats.
  static int64_t BlockRows(int64_t row_floats) { return ScratchRows(row_floats * static_cast<int64_t>(sizeof(float))); }
  // Writes the activities of a block of rows to out[x.rows, units].
  absl::Status EncodeBlock(const RowsView& x, float* out) const;

  const TiedEncoderForm form_;
  const int64_t units_;
  const int64_t width_;  // of a preprocessed row
  const Preprocessor preprocessor_;
  const std::shared_ptr<Backend> backend_;
  Buffer atoms_;         // [units, width]
  Buffer bias_;          // [units], b - W m
  Buffer decoder_bias_;  // [width], b' + m
};

absl::Status TiedEncoder::EncodeBlock(const RowsView& x, float* out) const {
  std::unique_ptr<float[]> converted;
  const void* taken = x.data;
  if (x.dtype != DType::kF32 || preprocessor_.has_steps()) {
    converted.reset(new float[x.rows * width_]);
    KWTA_RETURN_IF_ERROR(preprocessor_.ApplySteps(x, converted.get()));
    taken = converted.get();
  }
  KWTA_ASSIGN_OR_RETURN(const StagedInput input,
                        StagedInput::Create(*backend_, taken, x.rows * width_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(*backend_, out, x.rows * units_ * sizeof(float)));
  AffineActivationArgs args;
  args.atoms = atoms_.as<float>();
  args.bias = bias_.as<float>();
  args.units = units_;
  args.width = width_;
  args.x = input.as<float>();
  args.rows = x.rows;
  args.activation = form_.activation;
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->AffineActivation(args));
  return output.Finish(*backend_);
}

absl::Status TiedEncoder::EncodeDense(const RowsView& x, int64_t, float* out) const {
  return ForEachRowBlock(x.rows, BlockRows(width_), [&](int64_t begin, int64_t rows) {
    return EncodeBlock(x.Slice(begin, rows), out + begin * units_);
  });
}

absl::Status TiedEncoder::Encode(const RowsView& x, int64_t k, Codes* out) const {
  if (dense_codes()) return EncodeDense(x, k, DenseIn(out, x.rows, units_));
  SparseCodes* const codes = SparseIn(out);
  codes->units = units_;
  codes->row_offsets.assign(1, 0);
  codes->indices.clear();
  codes->values.clear();
  const int64_t block_rows = std::min(BlockRows(width_ + units_), std::max<int64_t>(x.rows, 1));
  const std::unique_ptr<float[]> dense(new float[block_rows * units_]);
  return ForEachRowBlock(x.rows, block_rows, [&](int64_t begin, int64_t rows) {
    KWTA_RETURN_IF_ERROR(EncodeBlock(x.Slice(begin, rows), dense.get()));
    for (int64_t i = 0; i < rows; ++i) {
      const float* const activities = dense.get() + i * units_;
      for (int64_t j = 0; j < units_; ++j) {
        if (activities[j] == 0) continue;
        codes->indices.push_back(static_cast<int32_t>(j));
        codes->values.push_back(activities[j]);
      }
      codes->row_offsets.push_back(codes->entries());
    }
    return absl::OkStatus();
  });
}

// SparseDecode takes rows of the same number of entries, so the shorter rows of a block get entries of zero.
absl::Status TiedEncoder::Decode(const SparseCodes& codes, float* out) const {
  int64_t k = 0;
  for (int64_t i = 0; i < codes.rows(); ++i) k = std::max(k, codes.row_offsets[i + 1] - codes.row_offsets[i]);
  const int64_t block_rows = BlockRows(width_ + 2 * k);
  std::vector<int32_t> units;
  std::vector<float> activities;
  return ForEachRowBlock(codes.rows(), block_rows, [&](int64_t begin, int64_t rows) {
    units.assign(rows * k, 0);
    activities.assign(rows * k, 0.0f);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t first = codes.row_offsets[begin + i], count = codes.row_offsets[begin + i + 1] - first;
      std::copy_n(codes.indices.begin() + first, count, units.begin() + i * k);
      std::copy_n(codes.values.begin() + first, count, activities.begin() + i * k);
    }
    KWTA_ASSIGN_OR_RETURN(const StagedInput indices,
                          StagedInput::Create(*backend_, units.data(), units.size() * sizeof(int32_t)));
    KWTA_ASSIGN_OR_RETURN(const StagedInput values,
                          StagedInput::Create(*backend_, activities.data(), activities.size() * sizeof(float)));
    KWTA_ASSIGN_OR_RETURN(StagedOutput output,
                          StagedOutput::Create(*backend_, out + begin * width_, rows * width_ * sizeof(float)));
    SparseDecodeArgs args;
    args.atoms = atoms_.as<float>();
    args.bias = decoder_bias_.as<float>();
    args.indices = indices.as<int32_t>();
    args.values = values.as<float>();
    args.rows = rows;
    args.k = k;
    args.width = width_;
    args.output = output.as<float>();
    KWTA_RETURN_IF_ERROR(backend_->SparseDecode(args));
    KWTA_RETURN_IF_ERROR(output.Finish(*backend_));
    if (!form_.sigmoid_output) return absl::OkStatus();
    for (float* y = out + begin * width_; y != out + (begin + rows) * width_; ++y) {
      *y = ActivationAt(Activation::kSigmoid, *y).value;
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Encoder>> CreateTiedEncoder(const TiedEncoderForm& form, const ModelBundle& bundle,
                                                                 std::shared_ptr<Backend> backend) {
  const int64_t units = form.units, input_width = bundle.description.input_width();
  if (input_width < 1 || bundle.description.code_width() != units) {
    return absl::DataLossError(absl::StrCat("the model's description has input_width ", input_width, " and code_width ",
                                            bundle.description.code_width(), "; expected at least 1, and ", units,
                                            ", the units"));
  }
  KWTA_ASSIGN_OR_RETURN(Preprocessor preprocessor,
                        Preprocessor::Load(bundle.description.preprocessing(), input_width, bundle.tensors));
  if (form.sigmoid_output && !preprocessor.mean().empty()) {
    return absl::DataLossError("the model's description subtracts a mean, but a sigmoid decoder reconstructs 0 .. 1");
  }
  const int64_t width = ElementCount(preprocessor.output_shape());
  KWTA_ASSIGN_OR_RETURN(const float* atoms, FindFloats(bundle.tensors, "atoms", {units, width}));
  KWTA_ASSIGN_OR_RETURN(const float* bias, FindFloats(bundle.tensors, "bias", {units}));
  KWTA_ASSIGN_OR_RETURN(const float* decoder_bias, FindFloats(bundle.tensors, "decoder_bias", {width}));
  auto encoder = std::make_shared<TiedEncoder>(form, std::move(preprocessor), std::move(backend));
  KWTA_RETURN_IF_ERROR(encoder->Load(atoms, bias, decoder_bias));
  return encoder;
}

Activation ActivationOf(v1::Activation activation) {
  switch (activation) {
    case v1::ACTIVATION_SIGMOID:
      return Activation::kSigmoid;
    case v1::ACTIVATION_SOFTPLUS:
      return Activation::kSoftplus;
    default:
      return Activation::kReLU;
  }
}

absl::Status InDescription(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat("the model's description is not valid: ", status.message()));
}

absl::Status CheckInUnitInterval(const float* x, int64_t rows, int64_t width, absl::string_view why) {
  bool inside = true;
  for (int64_t e = 0; e < rows * width; ++e) inside &= x[e] >= 0 && x[e] <= 1;
  if (inside) return absl::OkStatus();
  const float* const wrong = std::find_if(x, x + rows * width, [](float each) { return !(each >= 0 && each <= 1); });
  return absl::InvalidArgumentError(absl::StrCat(
      "an element of the preprocessed rows, dimension ", (wrong - x) % width, ", is ", *wrong,
      "; expected 0 .. 1: ", why, "; scale the rows (u8_divisor for bytes, the step scale for other numbers)"));
}

}  // namespace kwta

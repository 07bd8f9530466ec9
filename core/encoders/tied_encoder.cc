#include "core/encoders/tied_encoder.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"
#include "core/encoders/affine_layer.h"

namespace kwta {
namespace {

class TiedEncoder : public Encoder {
 public:
  TiedEncoder(const TiedEncoderForm& form, AffineLayer layer)
      : form_(form), units_(form.units), width_(layer.width()), layer_(std::move(layer)) {}

  int64_t input_width() const override { return layer_.input_width(); }
  int64_t reconstruction_width() const override { return width_; }
  int64_t code_width() const override { return units_; }
  int64_t parameter_bytes() const override { return layer_.bytes(); }
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
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override;

 private:
  // How many rows fit in a block if each needs `row_floats` floats.
  static int64_t BlockRows(int64_t row_floats) { return ScratchRows(row_floats * static_cast<int64_t>(sizeof(float))); }
  // Writes the activities of a block of rows to out[x.rows, units].
  absl::Status EncodeBlock(const RowsView& x, float* out) const;
  // Makes codes of no rows; adds the activities of some rows that are not zero.
  void StartCodes(SparseCodes* codes) const;
  void AppendNonZero(const float* dense, int64_t rows, SparseCodes* codes) const;
  // Writes those of preprocessed rows [rows, width].
  absl::Status ActivitiesOf(const void* x, int64_t rows, float* out) const;

  const TiedEncoderForm form_;
  const int64_t units_;
  const int64_t width_;  // of a preprocessed row
  const AffineLayer layer_;
};

absl::Status TiedEncoder::EncodeBlock(const RowsView& x, float* out) const {
  std::unique_ptr<float[]> converted;
  const void* taken = x.data;
  if (x.dtype != DType::kF32 || layer_.preprocessor().has_steps()) {
    converted.reset(new float[x.rows * width_]);
    KWTA_RETURN_IF_ERROR(layer_.preprocessor().ApplySteps(x, converted.get()));
    taken = converted.get();
  }
  return ActivitiesOf(taken, x.rows, out);
}

absl::Status TiedEncoder::ActivitiesOf(const void* x, int64_t rows, float* out) const {
  KWTA_ASSIGN_OR_RETURN(const StagedInput input,
                        StagedInput::Create(layer_.backend(), x, rows * width_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output,
                        StagedOutput::Create(layer_.backend(), out, rows * units_ * sizeof(float)));
  AffineActivationArgs args;
  args.atoms = layer_.atoms();
  args.bias = layer_.bias();
  args.units = units_;
  args.width = width_;
  args.x = input.as<float>();
  args.rows = rows;
  args.activation = form_.activation;
  // So that activities have the same bits on every backend.
  args.pre_activations = form_.activation != Activation::kReLU && HasOwnFunctions(layer_.backend());
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(layer_.backend().AffineActivation(args));
  KWTA_RETURN_IF_ERROR(output.Finish(layer_.backend()));
  if (!args.pre_activations) return absl::OkStatus();
  for (float* a = out; a != out + rows * units_; ++a) *a = ActivationAt(form_.activation, *a).value;
  return absl::OkStatus();
}

absl::Status TiedEncoder::EncodeDense(const RowsView& x, int64_t, float* out) const {
  return ForEachRowBlock(x.rows, BlockRows(width_), [&](int64_t begin, int64_t rows) {
    return EncodeBlock(x.Slice(begin, rows), out + begin * units_);
  });
}

absl::Status TiedEncoder::Encode(const RowsView& x, int64_t k, Codes* out) const {
  if (dense_codes()) return EncodeDense(x, k, DenseIn(out, x.rows, units_));
  SparseCodes* const codes = SparseIn(out);
  StartCodes(codes);
  const int64_t block_rows = std::min(BlockRows(width_ + units_), std::max<int64_t>(x.rows, 1));
  const std::unique_ptr<float[]> dense(new float[block_rows * units_]);
  return ForEachRowBlock(x.rows, block_rows, [&](int64_t begin, int64_t rows) {
    KWTA_RETURN_IF_ERROR(EncodeBlock(x.Slice(begin, rows), dense.get()));
    AppendNonZero(dense.get(), rows, codes);
    return absl::OkStatus();
  });
}

void TiedEncoder::StartCodes(SparseCodes* codes) const {
  codes->units = units_;
  codes->row_offsets.assign(1, 0);
  codes->indices.clear();
  codes->values.clear();
}

void TiedEncoder::AppendNonZero(const float* dense, int64_t rows, SparseCodes* codes) const {
  int64_t count = codes->entries();
  codes->indices.resize(count + rows * units_);
  codes->values.resize(count + rows * units_);
  int32_t* const indices = codes->indices.data();
  float* const values = codes->values.data();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < units_; ++j) {
      // Without a branch: whether a unit is active is hard to predict.
      const float activity = dense[i * units_ + j];
      indices[count] = static_cast<int32_t>(j);
      values[count] = activity;
      count += activity != 0;
    }
    codes->row_offsets.push_back(count);
  }
  codes->indices.resize(count);
  codes->values.resize(count);
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
    KWTA_RETURN_IF_ERROR(layer_.Decode(units.data(), activities.data(), rows, k, out + begin * width_));
    if (!form_.sigmoid_output) return absl::OkStatus();
    for (float* y = out + begin * width_; y != out + (begin + rows) * width_; ++y) {
      *y = ActivationAt(Activation::kSigmoid, *y).value;
    }
    return absl::OkStatus();
  });
}

// Training corrupts rows from which the mean has been subtracted.
absl::StatusOr<TrainedRows> TiedEncoder::ReconstructAsTrained(const RowsView& x) const {
  TrainedRows trained{width_, std::vector<float>(x.rows * width_), std::vector<float>(x.rows * width_)};
  KWTA_RETURN_IF_ERROR(layer_.preprocessor().ApplySteps(x, trained.x.data()));
  const std::vector<float>& mean = layer_.preprocessor().mean();
  std::vector<float> seen = trained.x;
  for (int64_t i = 0; i < x.rows && form_.corruption.kind != CorruptionKind::kNone; ++i) {
    float* const row = seen.data() + i * width_;
    if (!mean.empty()) std::transform(row, row + width_, mean.begin(), row, std::minus<>());
    CorruptRow(form_.corruption, i, row, width_, row);
    if (!mean.empty()) std::transform(row, row + width_, mean.begin(), row, std::plus<>());
  }
  std::vector<float> activities(x.rows * units_), factors(units_);
  KWTA_RETURN_IF_ERROR(ActivitiesOf(seen.data(), x.rows, activities.data()));
  for (int64_t i = 0; i < x.rows && form_.dropout.probability > 0; ++i) {
    DrawDropout(form_.dropout, i, units_, factors.data());
    float* const row = activities.data() + i * units_;
    std::transform(row, row + units_, factors.begin(), row, std::multiplies<>());
  }
  SparseCodes codes;
  StartCodes(&codes);
  AppendNonZero(activities.data(), x.rows, &codes);
  KWTA_RETURN_IF_ERROR(Decode(codes, trained.reconstructions.data()));
  return trained;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Encoder>> CreateTiedEncoder(const TiedEncoderForm& form, const ModelBundle& bundle,
                                                                 std::shared_ptr<Backend> backend) {
  KWTA_ASSIGN_OR_RETURN(AffineLayer layer, AffineLayer::Load(bundle, form.units, std::move(backend)));
  if (form.sigmoid_output && !layer.preprocessor().mean().empty()) {
    return absl::DataLossError("the model's description subtracts a mean, but a sigmoid decoder reconstructs 0 .. 1");
  }
  return std::make_shared<TiedEncoder>(form, std::move(layer));
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
  return absl::InvalidArgumentError(absl::StrCat("an element of the preprocessed rows, dimension ", (wrong - x) % width,
                                                 ", is ", *wrong, "; expected 0 .. 1: ", why,
                                                 "; scale the rows (u8_divisor for bytes, the step scale for other "
                                                 "numbers), or as the base of a layer take a model of "
                                                 "sigmoid units"));
}

}  // namespace kwta

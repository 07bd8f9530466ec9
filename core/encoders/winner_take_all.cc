#include "core/encoders/winner_take_all.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"

namespace kwta {
namespace {

class WinnerTakeAllEncoder : public Encoder {
 public:
  WinnerTakeAllEncoder(const v1::WinnerTakeAllSpec& spec, Preprocessor preprocessor, std::shared_ptr<Backend> backend)
      : spec_(spec),
        width_(ImagesOf(spec, 1).elements()),
        code_width_(ElementCount(PooledShape(spec))),
        preprocessor_(std::move(preprocessor)),
        backend_(std::move(backend)) {}

  absl::Status Load(const TensorMap& tensors) {
    KWTA_RETURN_IF_ERROR(LoadTensor(tensors, "filters", FilterShape(spec_), &filters_));
    KWTA_RETURN_IF_ERROR(LoadTensor(tensors, "bias", {spec_.maps()}, &bias_));
    if (!spec_.tied_weights()) {
      KWTA_RETURN_IF_ERROR(LoadTensor(tensors, "decoder_filters", DecoderFilterShape(spec_), &decoder_filters_));
    }
    return LoadTensor(tensors, "decoder_bias", {spec_.input().channels()}, &decoder_bias_);
  }

  int64_t input_width() const override { return ElementCount(preprocessor_.input_shape()); }
  int64_t reconstruction_width() const override { return width_; }
  int64_t code_width() const override { return code_width_; }
  int64_t parameter_bytes() const override {
    return static_cast<int64_t>(filters_.bytes() + bias_.bytes() + decoder_filters_.bytes() + decoder_bias_.bytes());
  }
  bool dense_codes() const override { return true; }

  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override;
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override {
    return EncodeDense(x, k, DenseIn(codes, x.rows, code_width_));
  }
  absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const override;
  // The winners of training, by position in the maps; -1 where a map has none.
  absl::Status Activities(const RowsView& x, int64_t k, SparseCodes* activities) const override;
  int64_t row_activities(int64_t) const override { return WinnersOf(spec_).entries; }
  absl::Status DecodeActivities(const SparseCodes& activities, float* out) const override;
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override {
    TrainedRows trained{width_, std::vector<float>(x.rows * width_), std::vector<float>(x.rows * width_)};
    KWTA_RETURN_IF_ERROR(preprocessor_.ApplySteps(x, trained.x.data()));
    KWTA_RETURN_IF_ERROR(Reconstruct(x, code_width_, trained.reconstructions.data()));
    return trained;
  }
  absl::Status Decode(const SparseCodes&, float*) const override {
    return absl::UnimplementedError(
        "codes of a winner-take-all encoder are pooled maps, which do not say where in its window an activity was; "
        "reconstruct from the input instead of from codes");
  }

 private:
  absl::Status LoadTensor(const TensorMap& tensors, const char* name, const Shape& shape, Buffer* buffer) {
    KWTA_ASSIGN_OR_RETURN(const float* floats, FindFloats(tensors, name, shape));
    KWTA_ASSIGN_OR_RETURN(*buffer, CopyToBackend(*backend_, floats, ElementCount(shape) * sizeof(float)));
    return absl::OkStatus();
  }
  // How many rows fit in a block if each needs at most `row_floats` floats.
  static int64_t BlockRows(int64_t row_floats) { return ScratchRows(row_floats * static_cast<int64_t>(sizeof(float))); }
  // Returns the rows that the filters see. The bias cannot absorb a mean: the zeros around an image stay zero.
  absl::StatusOr<std::vector<float>> Preprocess(const RowsView& x) const {
    std::vector<float> floats(static_cast<size_t>(x.rows * width_));
    KWTA_RETURN_IF_ERROR(preprocessor_.Apply(x, floats.data()));
    return floats;
  }
  void AddMean(int64_t rows, float* x) const {
    if (preprocessor_.mean().empty()) return;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t d = 0; d < width_; ++d) x[i * width_ + d] += preprocessor_.mean()[d];
    }
  }

  const v1::WinnerTakeAllSpec spec_;
  const int64_t width_;  // of a preprocessed row
  const int64_t code_width_;
  const Preprocessor preprocessor_;
  const std::shared_ptr<Backend> backend_;
  Buffer filters_, bias_, decoder_filters_, decoder_bias_;  // as in the bundle; decoder_filters_ is empty if tied
};

absl::StatusOr<int64_t> WinnerTakeAllEncoder::ResolveK(const EncodeOptions& options) const {
  if (options.alpha == 0 && options.k == 0) return code_width_;
  return absl::InvalidArgumentError(absl::StrCat(
      options.k != 0 ? absl::StrCat("k is ", options.k) : absl::StrCat("alpha is ", options.alpha),
      "; expected neither k nor alpha: this model is a winner-take-all encoder, whose codes are pooled maps "
      "with sparsity off"));
}

absl::Status WinnerTakeAllEncoder::EncodeDense(const RowsView& x, int64_t, float* out) const {
  return ForEachRowBlock(x.rows, BlockRows(std::max(width_, code_width_)), [&](int64_t begin, int64_t rows) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<float> floats, Preprocess(x.Slice(begin, rows)));
    KWTA_ASSIGN_OR_RETURN(const StagedInput input,
                          StagedInput::Create(*backend_, floats.data(), floats.size() * sizeof(float)));
    KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(*backend_, out + begin * code_width_,
                                                                    rows * code_width_ * sizeof(float)));
    ConvPoolArgs args;
    args.filters = filters_.as<float>();
    args.bias = bias_.as<float>();
    args.maps = spec_.maps();
    args.size = spec_.filter_size();
    args.images = ImagesOf(spec_, rows);
    args.x = input.as<float>();
    args.pooling = PoolingOf(spec_);
    args.output = output.as<float>();
    KWTA_RETURN_IF_ERROR(backend_->ConvPool(args));
    return output.Finish(*backend_);
  });
}

absl::Status WinnerTakeAllEncoder::Activities(const RowsView& x, int64_t, SparseCodes* activities) const {
  const TrainingWinners winners = WinnersOf(spec_);
  activities->units = spec_.maps() * ImagesOf(spec_, 1).positions();
  activities->row_offsets.resize(x.rows + 1);
  for (int64_t i = 0; i <= x.rows; ++i) activities->row_offsets[i] = i * winners.entries;
  activities->indices.resize(x.rows * winners.entries);
  activities->values.resize(x.rows * winners.entries);
  return ForEachRowBlock(x.rows, BlockRows(width_ + 2 * winners.entries), [&](int64_t begin, int64_t rows) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<float> floats, Preprocess(x.Slice(begin, rows)));
    KWTA_ASSIGN_OR_RETURN(const StagedInput input,
                          StagedInput::Create(*backend_, floats.data(), floats.size() * sizeof(float)));
    const int64_t first = begin * winners.entries, entries = rows * winners.entries;
    KWTA_ASSIGN_OR_RETURN(StagedOutput units, StagedOutput::Create(*backend_, activities->indices.data() + first,
                                                                   entries * sizeof(int32_t)));
    KWTA_ASSIGN_OR_RETURN(StagedOutput values,
                          StagedOutput::Create(*backend_, activities->values.data() + first, entries * sizeof(float)));
    ConvWinnersArgs args;
    args.filters = filters_.as<float>();
    args.bias = bias_.as<float>();
    args.maps = spec_.maps();
    args.size = spec_.filter_size();
    args.images = ImagesOf(spec_, rows);
    args.x = input.as<float>();
    args.scope = winners.scope;
    args.winners = winners.winners;
    args.units = units.as<int32_t>();
    args.values = values.as<float>();
    KWTA_RETURN_IF_ERROR(backend_->ConvWinners(args));
    KWTA_RETURN_IF_ERROR(units.Finish(*backend_));
    return values.Finish(*backend_);
  });
}

absl::Status WinnerTakeAllEncoder::DecodeActivities(const SparseCodes& activities, float* out) const {
  const int64_t each = WinnersOf(spec_).entries;
  return ForEachRowBlock(activities.rows(), BlockRows(width_ + 2 * each), [&](int64_t begin, int64_t rows) {
    const int64_t first = begin * each, entries = rows * each;
    KWTA_ASSIGN_OR_RETURN(const StagedInput units,
                          StagedInput::Create(*backend_, activities.indices.data() + first, entries * sizeof(int32_t)));
    KWTA_ASSIGN_OR_RETURN(const StagedInput values,
                          StagedInput::Create(*backend_, activities.values.data() + first, entries * sizeof(float)));
    float* const reconstruction = out + begin * width_;
    KWTA_ASSIGN_OR_RETURN(StagedOutput output,
                          StagedOutput::Create(*backend_, reconstruction, rows * width_ * sizeof(float)));
    WinnerDecodeArgs args;
    args.filters = spec_.tied_weights() ? filters_.as<float>() : decoder_filters_.as<float>();
    args.bias = decoder_bias_.as<float>();
    args.maps = spec_.maps();
    args.size = spec_.decoder_filter_size();
    args.images = ImagesOf(spec_, rows);
    args.units = units.as<int32_t>();
    args.values = values.as<float>();
    args.entries = each;
    args.output = output.as<float>();
    KWTA_RETURN_IF_ERROR(backend_->WinnerDecode(args));
    KWTA_RETURN_IF_ERROR(output.Finish(*backend_));
    AddMean(rows, reconstruction);
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Encoder>> CreateWinnerTakeAllEncoder(const ModelBundle& bundle,
                                                                          std::shared_ptr<Backend> backend) {
  const v1::ModelDescription& description = bundle.description;
  v1::WinnerTakeAllSpec spec = description.encoder().winner_take_all();
  KWTA_ASSIGN_OR_RETURN(Preprocessor preprocessor,
                        Preprocessor::Load(description.preprocessing(), description.input_width(), bundle.tensors));
  if (const absl::Status status = FitWinnerTakeAll(&spec, preprocessor.output_shape()); !status.ok()) {
    return absl::DataLossError(absl::StrCat("the model's description is not valid: ", status.message()));
  }
  const Shape pooled = PooledShape(spec);
  if (description.code_width() != ElementCount(pooled)) {
    return absl::DataLossError(absl::StrCat("the model's description has code_width ", description.code_width(),
                                            "; expected ", ElementCount(pooled), ", pooled maps of ",
                                            ShapeString(pooled)));
  }
  auto encoder = std::make_shared<WinnerTakeAllEncoder>(spec, std::move(preprocessor), std::move(backend));
  KWTA_RETURN_IF_ERROR(encoder->Load(bundle.tensors));
  return encoder;
}

}  // namespace kwta

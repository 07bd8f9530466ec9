#include "core/encoders/stack.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"

namespace kwta {
namespace {

std::string LayerPrefix(int i) { return absl::StrCat("layers.", i, "."); }

bool BelongsToPreprocessing(const std::string& name) {
  return name == "mean" || absl::StartsWith(name, "preprocessing.");
}

// Returns whether a tensor belongs to a fine-tuned model's classifier, which classifies the codes of the top layer.
bool BelongsToClassifier(const std::string& name) { return absl::StartsWith(name, "classifier."); }

class StackEncoder : public Encoder {
 public:
  // REQUIRES: `layers` is not empty, and each layer has the width of the codes below it.
  static absl::StatusOr<std::shared_ptr<const Encoder>> Create(std::vector<std::shared_ptr<const Encoder>> layers) {
    std::vector<int64_t> kept;
    int64_t widest = 1;
    for (size_t i = 0; i + 1 < layers.size(); ++i) {
      KWTA_ASSIGN_OR_RETURN(const int64_t k, layers[i]->ResolveK({}));
      kept.push_back(k);
      widest = std::max(widest, layers[i]->code_width());
    }
    return std::shared_ptr<const Encoder>(new StackEncoder(std::move(layers), std::move(kept), widest));
  }

  int64_t input_width() const override { return layers_.front()->input_width(); }
  int64_t reconstruction_width() const override { return layers_.front()->reconstruction_width(); }
  int64_t code_width() const override { return layers_.back()->code_width(); }
  int64_t parameter_bytes() const override {
    return std::accumulate(layers_.begin(), layers_.end(), int64_t{0},
                           [](int64_t sum, const auto& layer) { return sum + layer->parameter_bytes(); });
  }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override {
    return layers_.back()->ResolveK(options);
  }
  bool dense_codes() const override { return layers_.back()->dense_codes(); }
  bool takes_k() const override { return layers_.back()->takes_k(); }
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override;
  absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const override;
  absl::Status Activities(const RowsView& x, int64_t k, SparseCodes* activities) const override;
  int64_t row_activities(int64_t k) const override { return layers_.back()->row_activities(k); }
  absl::Status DecodeActivities(const SparseCodes& activities, float* out) const override {
    return DecodeFromTop(activities, &Encoder::DecodeActivities, out);
  }
  absl::Status Decode(const SparseCodes& codes, float* out) const override {
    return DecodeFromTop(codes, &Encoder::Decode, out);
  }
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override;

 private:
  StackEncoder(std::vector<std::shared_ptr<const Encoder>> layers, std::vector<int64_t> kept, int64_t widest)
      : layers_(std::move(layers)),
        kept_(std::move(kept)),
        block_rows_(ScratchRows(widest * static_cast<int64_t>(sizeof(float)))) {}

  // Calls visit(input of the top layer, first row) for consecutive blocks of x.
  template <typename Visit>
  absl::Status ForEachBlock(const RowsView& x, Visit visit) const;
  // Decodes what the top layer decodes in that way, then through the layers below.
  using DecodeTop = absl::Status (Encoder::*)(const SparseCodes& codes, float* out) const;
  absl::Status DecodeFromTop(const SparseCodes& codes, DecodeTop decode_top, float* out) const;
  // Decodes the top layer's reconstruction through the layers below, to out[rows, reconstruction_width].
  absl::Status DecodeBelowTop(std::vector<float> top, int64_t rows, float* out) const;

  const std::vector<std::shared_ptr<const Encoder>> layers_;  // lowest first
  const std::vector<int64_t> kept_;                           // activities that each layer below the top keeps
  const int64_t block_rows_;
};

template <typename Visit>
absl::Status StackEncoder::ForEachBlock(const RowsView& x, Visit visit) const {
  std::vector<float> input, next;
  return ForEachRowBlock(x.rows, block_rows_, [&](int64_t begin, int64_t rows) {
    RowsView block = x.Slice(begin, rows);
    for (size_t i = 0; i < kept_.size(); ++i) {
      next.resize(block.rows * layers_[i]->code_width());
      KWTA_RETURN_IF_ERROR(layers_[i]->EncodeDense(block, kept_[i], next.data()));
      input.swap(next);
      block = {DType::kF32, input.data(), block.rows, layers_[i]->code_width()};
    }
    return visit(block, begin);
  });
}

absl::Status StackEncoder::Encode(const RowsView& x, int64_t k, Codes* codes) const {
  if (x.rows == 0) {  // so that codes have the top layer's form here too
    return layers_.back()->Encode({DType::kF32, nullptr, 0, layers_.back()->input_width()}, k, codes);
  }
  Codes block;
  return ForEachBlock(x, [&](const RowsView& input, int64_t begin) {
    KWTA_RETURN_IF_ERROR(layers_.back()->Encode(input, k, &block));
    if (begin == 0) *codes = RoomFor(block, x.rows);
    CopyRows(block, 0, input.rows, begin, codes);
    return absl::OkStatus();
  });
}

absl::Status StackEncoder::EncodeDense(const RowsView& x, int64_t k, float* out) const {
  return ForEachBlock(x, [&](const RowsView& input, int64_t begin) {
    return layers_.back()->EncodeDense(input, k, out + begin * code_width());
  });
}

absl::Status StackEncoder::Activities(const RowsView& x, int64_t k, SparseCodes* activities) const {
  *activities = {};
  SparseCodes block;
  return ForEachBlock(x, [&](const RowsView& input, int64_t) {
    KWTA_RETURN_IF_ERROR(layers_.back()->Activities(input, k, &block));
    activities->units = block.units;
    activities->AppendRows(block, 0, block.rows());
    return absl::OkStatus();
  });
}

absl::StatusOr<TrainedRows> StackEncoder::ReconstructAsTrained(const RowsView& x) const {
  TrainedRows all;
  KWTA_RETURN_IF_ERROR(ForEachBlock(x, [&](const RowsView& input, int64_t) -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(const TrainedRows block, layers_.back()->ReconstructAsTrained(input));
    all.width = block.width;
    all.x.insert(all.x.end(), block.x.begin(), block.x.end());
    all.reconstructions.insert(all.reconstructions.end(), block.reconstructions.begin(), block.reconstructions.end());
    return absl::OkStatus();
  }));
  return all;
}

// Returns every entry of dense[rows, units] as a code.
SparseCodes AllEntries(std::vector<float> dense, int64_t rows, int64_t units) {
  SparseCodes codes;
  codes.units = units;
  codes.values = std::move(dense);
  codes.indices.resize(rows * units);
  for (int64_t i = 0; i < rows; ++i) {
    codes.row_offsets.push_back((i + 1) * units);
    std::iota(codes.indices.begin() + i * units, codes.indices.begin() + (i + 1) * units, 0);
  }
  return codes;
}

absl::Status StackEncoder::DecodeBelowTop(std::vector<float> top, int64_t rows, float* out) const {
  for (size_t i = layers_.size() - 1; i > 0; --i) {
    const SparseCodes codes = AllEntries(std::move(top), rows, layers_[i - 1]->code_width());
    top.assign(rows * layers_[i - 1]->reconstruction_width(), 0.0f);
    KWTA_RETURN_IF_ERROR(layers_[i - 1]->Decode(codes, top.data()));
  }
  std::copy(top.begin(), top.end(), out);
  return absl::OkStatus();
}

absl::Status StackEncoder::DecodeFromTop(const SparseCodes& codes, DecodeTop decode_top, float* out) const {
  return ForEachRowBlock(codes.rows(), block_rows_, [&](int64_t begin, int64_t rows) {
    SparseCodes block;
    block.units = codes.units;
    block.AppendRows(codes, begin, rows);
    std::vector<float> top(rows * layers_.back()->reconstruction_width());
    KWTA_RETURN_IF_ERROR((*layers_.back().*decode_top)(block, top.data()));
    return DecodeBelowTop(std::move(top), rows, out + begin * reconstruction_width());
  });
}

absl::Status RefuseStack() {
  return absl::InvalidArgumentError(
      "encoder.stack cannot be trained by one job: train the lowest layer, then give each further layer as the encoder "
      "of a job of its own whose base is the model so far");
}

// Returns the width of the codes of layer i of a stack.
uint32_t CodeWidthOfLayer(const v1::ModelDescription& whole, int i) {
  v1::ModelDescription layer;
  *layer.mutable_encoder() = LayerSpec(whole.encoder(), i);
  if (i == 0) *layer.mutable_preprocessing() = whole.preprocessing();
  return static_cast<uint32_t>(ElementCount(CodeShape(layer)));
}

}  // namespace

const EncoderKind& StackKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "stack";
    row.kind_case = v1::EncoderSpec::kStack;
    row.of_layers = true;
    row.resolve = [](v1::EncoderSpec*) { return RefuseStack(); };
    row.fit = [](v1::EncoderSpec*, const Shape&) { return RefuseStack(); };
    row.code_shape = [](const v1::EncoderSpec& spec) {
      v1::ModelDescription top;  // without preprocessing, which belongs to the lowest layer
      const int layers = LayerCount(spec);
      if (layers > 0) *top.mutable_encoder() = LayerSpec(spec, layers - 1);
      return CodeShape(top);
    };
    row.create_learner = [](const LearnerSetup&) -> absl::StatusOr<std::unique_ptr<Learner>> { return RefuseStack(); };
    row.create_encoder = CreateStackEncoder;
    return row;
  }();
  return kind;
}

int LayerCount(const v1::EncoderSpec& spec) { return spec.has_stack() ? spec.stack().layers_size() : 1; }

const v1::EncoderSpec& LayerSpec(const v1::EncoderSpec& spec, int i) {
  return spec.has_stack() ? spec.stack().layers(i) : spec;
}

absl::StatusOr<ModelBundle> LayerOfStack(const ModelBundle& bundle, int i) {
  const v1::ModelDescription& whole = bundle.description;
  ModelBundle layer;
  layer.description = whole;
  if (whole.encoder().has_stack()) {
    const v1::StackSpec& stack = whole.encoder().stack();
    for (const v1::EncoderSpec& spec : stack.layers()) {
      if (spec.has_stack()) return absl::DataLossError("the model's description has a stack among a stack's layers");
    }
    *layer.description.mutable_encoder() = stack.layers(i);
    if (i > 0) {
      layer.description.set_input_width(CodeWidthOfLayer(whole, i - 1));
      layer.description.clear_preprocessing();
    }
    layer.description.set_code_width(CodeWidthOfLayer(whole, i));
  }
  const std::string prefix = whole.encoder().has_stack() ? LayerPrefix(i) : "";
  for (const auto& [name, tensor] : bundle.tensors) {
    if (BelongsToPreprocessing(name)) {
      if (i == 0) layer.tensors[name] = tensor.Clone();
    } else if (absl::StartsWith(name, prefix) && !BelongsToClassifier(name)) {
      layer.tensors[name.substr(prefix.size())] = tensor.Clone();
    }
  }
  return layer;
}

// Each layer shares the backend: there is nothing to move it into.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateStackEncoder(
    const ModelBundle& bundle, std::shared_ptr<Backend> backend) {  // NOLINT(performance-unnecessary-value-param)
  const v1::ModelDescription& description = bundle.description;
  const int count = LayerCount(description.encoder());
  if (count < 2) {
    return absl::DataLossError(
        absl::StrCat("the model's description is a stack of ", count, " layers; expected at least 2"));
  }
  std::vector<std::shared_ptr<const Encoder>> layers;
  for (int i = 0; i < count; ++i) {
    KWTA_ASSIGN_OR_RETURN(ModelBundle part, LayerOfStack(bundle, i));
    if (i > 0) part.description.set_input_width(static_cast<uint32_t>(layers.back()->code_width()));
    absl::StatusOr<std::shared_ptr<const Encoder>> layer = CreateEncoder(part, backend);
    if (!layer.ok()) {
      return absl::Status(layer.status().code(),
                          absl::StrCat("layer ", i, " of the stack: ", layer.status().message()));
    }
    layers.push_back(*std::move(layer));
  }
  if (layers.back()->code_width() != description.code_width()) {
    return absl::DataLossError(absl::StrCat("the top layer of the stack has codes of width ",
                                            layers.back()->code_width(), "; its description says ",
                                            description.code_width()));
  }
  return StackEncoder::Create(std::move(layers));
}

ModelBundle PutOnBase(ModelBundle base, ModelBundle layer) {
  ModelBundle whole;
  whole.description = layer.description;
  v1::ModelDescription& description = whole.description;
  description.set_input_width(base.description.input_width());
  *description.mutable_preprocessing() = base.description.preprocessing();
  const int below = LayerCount(base.description.encoder());
  v1::StackSpec& stack = *description.mutable_encoder()->mutable_stack();
  const bool flat = !base.description.encoder().has_stack();
  if (flat) {
    *stack.add_layers() = base.description.encoder();
  } else {
    *stack.mutable_layers() = base.description.encoder().stack().layers();
  }
  *stack.add_layers() = layer.description.encoder();
  TensorMap base_tensors = std::move(base.tensors), layer_tensors = std::move(layer.tensors);
  for (auto& [name, tensor] : base_tensors) {
    if (BelongsToClassifier(name)) continue;
    whole.tensors[flat && !BelongsToPreprocessing(name) ? LayerPrefix(0) + name : name] = std::move(tensor);
  }
  for (auto& [name, tensor] : layer_tensors) whole.tensors[LayerPrefix(below) + name] = std::move(tensor);
  return whole;
}

}  // namespace kwta

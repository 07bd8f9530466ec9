#include "server/oip/inference_response.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/oip/row_classes.h"

namespace kwta::server {
namespace {

// Codes in the form that the outputs need, whichever the encoder gave.
struct Parts {
  std::vector<float> features;
  std::vector<int32_t> indices;
  std::vector<float> values;
  std::vector<int64_t> row_splits;
  int64_t rows = 0;
};

template <typename T>
void AddTensor(const char* name, const char* datatype, const std::vector<int64_t>& shape,
               const std::vector<T>& elements, inference::ModelInferResponse* response) {
  auto* tensor = response->add_outputs();
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  for (const int64_t extent : shape) tensor->add_shape(extent);
  response->add_raw_output_contents(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
}

void TakeDense(const std::vector<float>& dense, int64_t width, bool features, bool entries, Parts* parts) {
  parts->rows = static_cast<int64_t>(dense.size()) / width;
  if (features) parts->features = dense;
  if (!entries) return;
  parts->row_splits.push_back(0);
  for (int64_t row = 0; row < parts->rows; ++row) {
    for (int64_t unit = 0; unit < width; ++unit) {
      const float value = dense[row * width + unit];
      if (value == 0) continue;
      parts->indices.push_back(static_cast<int32_t>(unit));
      parts->values.push_back(value);
    }
    parts->row_splits.push_back(static_cast<int64_t>(parts->values.size()));
  }
}

void TakeSparse(const SparseCodes& codes, bool features, bool entries, Parts* parts) {
  parts->rows = codes.rows();
  if (features) {
    parts->features.resize(codes.rows() * codes.units);
    codes.ToDense(parts->features.data());
  }
  if (!entries) return;
  parts->indices = codes.indices;
  parts->values = codes.values;
}

void AddClasses(const StoredClassifier& classifier, const Encoder& encoder, const EncodeResult& result, int64_t count,
                inference::ModelInferResponse* response) {
  RowClasses classes;
  if (encoder.dense_codes()) {
    const int64_t width = encoder.code_width();
    const auto rows = static_cast<int64_t>(result.dense.size()) / width;
    classes = ClassifyRows(classifier, DenseFeatures({DType::kF32, result.dense.data(), rows, width}), count);
  } else {
    classes = ClassifyRows(classifier, CodeFeatures(result.codes), count);
  }
  auto* tensor = response->add_outputs();
  tensor->set_name(kFeatures);
  tensor->set_datatype("BYTES");
  tensor->add_shape(classes.rows);
  tensor->add_shape(classes.classes);
  response->add_raw_output_contents(std::move(classes.elements));
}

}  // namespace

absl::Status NoClasses(const std::string& model, uint64_t version) {
  return absl::UnimplementedError(absl::StrCat(
      "model '", model, "' version ", version,
      " was not fine-tuned and has no classes; ask for 'features' without classification, or train a model "
      "with fine_tuning and this one as base"));
}

std::vector<OutputTensor> OutputsOf(const Encoder& encoder) {
  const int64_t width = encoder.code_width();
  std::vector<OutputTensor> outputs = {{kFeatures, "FP32", inference::TYPE_FP32, {width}},
                                       {kIndices, "INT32", inference::TYPE_INT32, {-1}},
                                       {kValues, "FP32", inference::TYPE_FP32, {-1}}};
  if (encoder.dense_codes()) {
    for (OutputTensor& output : outputs) {
      if (output.name != kFeatures) output.shape.clear();  // one extent in all, that of all non-zeros
    }
    outputs.push_back({kRowSplits, "INT64", inference::TYPE_INT64, {}});
  }
  return outputs;
}

absl::StatusOr<inference::ModelInferResponse> ConvertResponse(const InferenceRequest& request, const EncodedRows& rows,
                                                              int64_t max_bytes) {
  const Encoder& encoder = *rows.model->encoder;
  const std::vector<OutputTensor> there = OutputsOf(encoder);
  std::vector<std::string> wanted = request.outputs;
  if (wanted.empty()) {
    for (const OutputTensor& output : there) wanted.push_back(output.name);
  }
  const auto wants = [&wanted](const char* name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  if (!encoder.dense_codes() && wants(kRowSplits)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", rows.model->name, "' has no output 'row_splits': all rows of its codes have k entries"));
  }
  const bool classes = request.classes > 0;
  if (classes && rows.model->classifier == nullptr) return NoClasses(rows.model->name, rows.model->version);
  const bool features = wants(kFeatures) && !classes;
  const bool entries = wants(kIndices) || wants(kValues) || wants(kRowSplits);
  Parts parts;
  std::vector<int64_t> entry_shape;
  if (encoder.dense_codes()) {
    TakeDense(rows.result.dense, encoder.code_width(), features, entries, &parts);
    entry_shape = {static_cast<int64_t>(parts.values.size())};
  } else {
    const int64_t k = rows.result.codes.RectangularWidth();
    if (k < 0 && entries) {
      return absl::FailedPreconditionError("the rows have different numbers of active units; ask for 'features' alone");
    }
    TakeSparse(rows.result.codes, features, entries, &parts);
    entry_shape = {parts.rows, k};
  }

  inference::ModelInferResponse response;
  response.set_model_name(rows.model->name);
  response.set_model_version(absl::StrCat(rows.model->version));
  response.set_id(request.id);
  for (const std::string& name : wanted) {
    if (name == kFeatures && classes) {
      AddClasses(*rows.model->classifier, encoder, rows.result, request.classes, &response);
    } else if (name == kFeatures) {
      AddTensor(kFeatures, "FP32", {parts.rows, encoder.code_width()}, parts.features, &response);
    } else if (name == kIndices) {
      AddTensor(kIndices, "INT32", entry_shape, parts.indices, &response);
    } else if (name == kValues) {
      AddTensor(kValues, "FP32", entry_shape, parts.values, &response);
    } else {
      AddTensor(kRowSplits, "INT64", {parts.rows + 1}, parts.row_splits, &response);
    }
  }
  const auto bytes = static_cast<int64_t>(response.ByteSizeLong());
  if (bytes <= max_bytes) return response;
  return absl::InvalidArgumentError(absl::StrCat("the answer has ", bytes, " bytes, more than the message limit of ",
                                                 max_bytes, " (--max-message-bytes); send fewer rows or ask for fewer ",
                                                 "outputs"));
}

}  // namespace kwta::server

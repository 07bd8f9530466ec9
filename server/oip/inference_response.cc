#include "server/oip/inference_response.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/oip/row_classes.h"

namespace kwta::server {
namespace {

template <typename T>
void AddTensor(const char* name, const char* datatype, const std::vector<int64_t>& shape, const T* elements,
               inference::ModelInferResponse* response) {
  auto* tensor = response->add_outputs();
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  for (const int64_t extent : shape) tensor->add_shape(extent);
  response->add_raw_output_contents(reinterpret_cast<const char*>(elements), ElementCount(shape) * sizeof(T));
}

void AddFeatures(const Codes& codes, inference::ModelInferResponse* response) {
  const std::vector<int64_t> shape = {CodeRows(codes), CodeUnits(codes)};
  if (const auto* dense = std::get_if<Tensor>(&codes)) {
    AddTensor(kFeatures, "FP32", shape, dense->as<float>(), response);
    return;
  }
  std::vector<float> features(ElementCount(shape));
  ToDense(codes, features.data());
  AddTensor(kFeatures, "FP32", shape, features.data(), response);
}

void AddClasses(const StoredClassifier& classifier, const SparseCodes& codes, int64_t count,
                inference::ModelInferResponse* response) {
  RowClasses classes = ClassifyRows(classifier, CodeFeatures(codes), count);
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
  if (!encoder.takes_k()) {
    for (OutputTensor& output : outputs) {
      if (output.name != kFeatures) output.shape.clear();  // one extent in all, the number of non-zeros
    }
    outputs.push_back({kRowSplits, "INT64", inference::TYPE_INT64, {}});
  }
  return outputs;
}

absl::StatusOr<inference::ModelInferResponse> ConvertResponse(const InferenceRequest& request, const EncodedRows& rows,
                                                              int64_t max_bytes) {
  const std::vector<OutputTensor> there = OutputsOf(*rows.model->encoder);
  std::vector<std::string> wanted = request.outputs;
  if (wanted.empty()) {
    for (const OutputTensor& output : there) wanted.push_back(output.name);
  }
  const auto wants = [&wanted](const char* name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  const Codes& codes = rows.result.codes;
  const bool rows_of_k = rows.model->encoder->takes_k();
  if (rows_of_k && wants(kRowSplits)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", rows.model->name, "' has no output 'row_splits': all rows of its codes have k entries"));
  }
  const bool classes = request.classes > 0;
  if (classes && rows.model->classifier == nullptr) return NoClasses(rows.model->name, rows.model->version);
  SparseCodes scratch;
  const bool entries = classes || wants(kIndices) || wants(kValues) || wants(kRowSplits);
  const SparseCodes& sparse = entries ? AsSparse(codes, &scratch) : scratch;
  const int64_t k = sparse.RectangularWidth();
  if (rows_of_k && k < 0 && (wants(kIndices) || wants(kValues))) {
    return absl::FailedPreconditionError("the rows have different numbers of active units; ask for 'features' alone");
  }
  const std::vector<int64_t> entry_shape =
      rows_of_k ? std::vector<int64_t>{sparse.rows(), k} : std::vector<int64_t>{sparse.entries()};

  inference::ModelInferResponse response;
  response.set_model_name(rows.model->name);
  response.set_model_version(absl::StrCat(rows.model->version));
  response.set_id(request.id);
  if (rows.zeroed > 0) (*response.mutable_parameters())[kZeroedElements].set_int64_param(rows.zeroed);
  for (const std::string& name : wanted) {
    if (name == kFeatures && classes) {
      AddClasses(*rows.model->classifier, sparse, request.classes, &response);
    } else if (name == kFeatures) {
      AddFeatures(codes, &response);
    } else if (name == kIndices) {
      AddTensor(kIndices, "INT32", entry_shape, sparse.indices.data(), &response);
    } else if (name == kValues) {
      AddTensor(kValues, "FP32", entry_shape, sparse.values.data(), &response);
    } else {
      AddTensor(kRowSplits, "INT64", {sparse.rows() + 1}, sparse.row_offsets.data(), &response);
    }
  }
  const auto bytes = static_cast<int64_t>(response.ByteSizeLong());
  if (bytes <= max_bytes) return response;
  return absl::InvalidArgumentError(absl::StrCat("the answer has ", bytes, " bytes, more than the message limit of ",
                                                 max_bytes, " (--max-message-bytes); send fewer rows or ask for fewer ",
                                                 "outputs"));
}

}  // namespace kwta::server

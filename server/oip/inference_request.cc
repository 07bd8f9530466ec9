#include "server/oip/inference_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "command_line/suggest.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;
using InputTensor = inference::ModelInferRequest::InferInputTensor;
using OutputTensorWanted = inference::ModelInferRequest::InferRequestedOutputTensor;

absl::StatusOr<v1::DType> ConvertDatatype(const std::string& datatype) {
  if (datatype == "FP32") return v1::DTYPE_F32;
  if (datatype == "UINT8") return v1::DTYPE_U8;
  if (datatype == "FP16") return v1::DTYPE_F16;
  if (datatype == "BF16") return v1::DTYPE_BF16;
  return absl::InvalidArgumentError(
      absl::StrCat("datatype of 'input' is '", datatype, "', expected FP32, UINT8, FP16 or BF16"));
}

// Read a parameter that holds an integer, any number, or a number as text.
std::optional<int64_t> IntegerOf(const inference::InferParameter& parameter) {
  if (parameter.has_int64_param()) return parameter.int64_param();
  if (parameter.has_uint64_param()) return static_cast<int64_t>(parameter.uint64_param());
  int64_t integer = 0;
  if (parameter.has_string_param() && absl::SimpleAtoi(parameter.string_param(), &integer)) return integer;
  return std::nullopt;
}
std::optional<double> NumberOf(const inference::InferParameter& parameter) {
  if (parameter.has_double_param()) return parameter.double_param();
  if (const std::optional<int64_t> integer = IntegerOf(parameter)) return static_cast<double>(*integer);
  double number = 0;
  if (parameter.has_string_param() && absl::SimpleAtod(parameter.string_param(), &number)) return number;
  return std::nullopt;
}

absl::Status UnknownParameter(const std::string& name, const std::string& of, const std::vector<std::string>& known) {
  const std::string nearest = command_line::Nearest(name, known);
  return absl::InvalidArgumentError(absl::StrCat("parameter '", name, "' of ", of, " is not known; ",
                                                 nearest.empty()
                                                     ? absl::StrCat("expected '", absl::StrJoin(known, "' or '"), "'")
                                                     : absl::StrCat("did you mean '", nearest, "'?")));
}

// Checks the parameters of an input or an output, which may be `known` ones.
absl::Status CheckTensorParameters(const Parameters& parameters, const std::string& tensor,
                                   const std::vector<std::string>& known) {
  for (const auto& [name, unused] : parameters) {
    if (absl::StartsWith(name, "shared_memory")) {
      return absl::UnimplementedError(absl::StrCat(
          "tensor '", tensor, "' is to be in shared memory, which this server has not; send its elements"));
    }
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return UnknownParameter(name, absl::StrCat("tensor '", tensor, "'"), known);
  }
  return absl::OkStatus();
}

absl::Status ConvertParameters(const Parameters& parameters, v1::EncodeOptions* options) {
  for (const auto& [name, value] : parameters) {
    if (name == "k") {
      const std::optional<int64_t> k = IntegerOf(value);
      if (!k.has_value() || *k < 1 || *k > UINT32_MAX) {
        return absl::InvalidArgumentError("parameter 'k' is no integer of 1 to the model's units");
      }
      options->set_k(static_cast<uint32_t>(*k));
    } else if (name == "alpha") {
      const std::optional<double> alpha = NumberOf(value);
      if (!alpha.has_value()) return absl::InvalidArgumentError("parameter 'alpha' is no number");
      options->set_alpha(static_cast<float>(*alpha));
    } else if (name == kNonFinite) {
      const std::string& word = value.string_param();
      if (word != "zero" && word != "refuse") {
        return absl::InvalidArgumentError("parameter 'non_finite' is neither 'zero' nor 'refuse'");
      }
      options->set_non_finite(word == "zero" ? v1::NON_FINITE_ZERO : v1::NON_FINITE_REFUSE);
    } else if (absl::StartsWith(name, "sequence_")) {
      return absl::UnimplementedError("sequences are not served: requests do not depend on each other");
    } else if (name != "priority" && name != "timeout" && !absl::StartsWith(name, "triton_") &&
               name != "binary_data_output") {
      return UnknownParameter(name, "the request", {"k", "alpha", kNonFinite});
    }
  }
  return absl::OkStatus();
}

// Returns how many classes an output asks for; 0: none.
absl::StatusOr<int64_t> ConvertClassification(const OutputTensorWanted& output) {
  const auto found = output.parameters().find("classification");
  if (found == output.parameters().end()) return 0;
  const std::optional<int64_t> classes = IntegerOf(found->second);
  if (!classes.has_value() || *classes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter 'classification' of output '", output.name(), "' is no integer of 1 or more"));
  }
  if (output.name() == kFeatures) return *classes;
  return absl::InvalidArgumentError(
      absl::StrCat("output '", output.name(), "' has no classes; ask for the classes of 'features'"));
}

// Moves the elements out of the field of their type.
absl::Status TakeContents(InputTensor* tensor, v1::Tensor* input) {
  inference::InferTensorContents& contents = *tensor->mutable_contents();
  if (tensor->datatype() == "FP32") {
    input->mutable_floats()->Swap(contents.mutable_fp32_contents());
  } else if (tensor->datatype() == "UINT8") {
    std::string& raw = *input->mutable_raw();
    raw.reserve(contents.uint_contents_size());
    for (const uint32_t element : contents.uint_contents()) {
      if (element > 255) {
        return absl::InvalidArgumentError(
            absl::StrCat("uint_contents of 'input' holds ", element, ", expected 0 to 255 as its datatype is UINT8"));
      }
      raw.push_back(static_cast<char>(element));
    }
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("'input' is ", tensor->datatype(), ", which has no field in contents; send raw_input_contents"));
  }
  if (input->floats_size() > 0 || !input->raw().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'input' has no elements; send raw_input_contents, or contents in ",
                                                 tensor->datatype() == "FP32" ? "fp32_contents" : "uint_contents",
                                                 " for its datatype"));
}

absl::Status ConvertInputTensor(inference::ModelInferRequest* request, v1::Tensor* input) {
  if (request->inputs_size() != 1 || request->inputs(0).name() != kInput) {
    const std::string names = absl::StrJoin(request->inputs(), ", ", [](std::string* out, const InputTensor& each) {
      absl::StrAppend(out, "'", each.name(), "'");
    });
    return absl::InvalidArgumentError(
        absl::StrCat("inputs are ", names.empty() ? "none" : names, "; expected one, 'input'"));
  }
  InputTensor* tensor = request->mutable_inputs(0);
  KWTA_RETURN_IF_ERROR(CheckTensorParameters(tensor->parameters(), kInput, {"binary_data_size"}));
  KWTA_ASSIGN_OR_RETURN(const v1::DType dtype, ConvertDatatype(tensor->datatype()));
  input->set_dtype(dtype);
  input->mutable_shape()->Swap(tensor->mutable_shape());
  if (request->raw_input_contents_size() == 0) return TakeContents(tensor, input);
  if (tensor->has_contents()) {
    return absl::InvalidArgumentError("contents of 'input' and raw_input_contents are both set; set one of them");
  }
  if (request->raw_input_contents_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("raw_input_contents has ", request->raw_input_contents_size(), " entries, expected one a tensor"));
  }
  input->mutable_raw()->swap(*request->mutable_raw_input_contents(0));
  return absl::OkStatus();
}

}  // namespace

VersionName ParseVersion(const std::string& text) {
  VersionName name;
  if (!absl::SimpleAtoi(text, &name.version)) {
    name.version = 0;
    name.label = text;
  }
  return name;
}

absl::StatusOr<InferenceRequest> ConvertRequest(inference::ModelInferRequest* request) {
  InferenceRequest converted;
  converted.id = request->id();
  v1::EncodeRequest& encode = converted.encode;
  encode.set_model(request->model_name());
  VersionName version = ParseVersion(request->model_version());
  encode.set_version(version.version);
  encode.set_label(std::move(version.label));
  KWTA_RETURN_IF_ERROR(ConvertParameters(request->parameters(), encode.mutable_options()));
  KWTA_RETURN_IF_ERROR(ConvertInputTensor(request, encode.mutable_input()));
  bool features = request->outputs().empty();
  for (const auto& output : request->outputs()) {
    const std::string& name = output.name();
    if (name != kFeatures && name != kIndices && name != kValues && name != kRowSplits) {
      return absl::InvalidArgumentError(
          absl::StrCat("output '", name, "' does not exist; expected 'features', 'indices', 'values' or 'row_splits'"));
    }
    if (std::find(converted.outputs.begin(), converted.outputs.end(), name) != converted.outputs.end()) {
      return absl::InvalidArgumentError(absl::StrCat("output '", name, "' is asked for twice"));
    }
    KWTA_RETURN_IF_ERROR(CheckTensorParameters(output.parameters(), name, {"classification", "binary_data"}));
    KWTA_ASSIGN_OR_RETURN(const int64_t classes, ConvertClassification(output));
    if (classes > 0) converted.classes = classes;
    features = features || (name == kFeatures && classes == 0);
    converted.outputs.push_back(name);
  }
  // The answer may be as large as in this layout.
  encode.mutable_options()->set_output(features ? v1::OUTPUT_MODE_DENSE : v1::OUTPUT_MODE_SPARSE_CSR);
  return converted;
}

}  // namespace kwta::server

#include "server/web/rest/rest_request.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "server/web/rest/rest_json.h"

namespace kwta::server {
namespace {

using nlohmann::json;
using DataList = std::vector<google::protobuf::RepeatedField<float>>;
using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;
using RestInputTensor = inference::ModelInferRequest::InferInputTensor;

constexpr char kBinaryDataSize[] = "binary_data_size";
constexpr char kBinaryData[] = "binary_data";
constexpr char kBinaryDataOutput[] = "binary_data_output";

absl::Status WrongForm(const std::string& name, const char* expected) {
  return absl::InvalidArgumentError(absl::StrCat("'", ToPrintable(name), "' of the request must be ", expected));
}

absl::StatusOr<json> ParseObject(absl::string_view text, DataList* data) {
  json root;
  KWTA_RETURN_IF_ERROR(ParseRestJson(text, &root, data));
  if (!root.is_object()) return absl::InvalidArgumentError("the request must be a JSON object");
  return root;
}

absl::Status CheckKeys(const json& object, const std::vector<std::string>& known, const char* where) {
  for (const auto& [name, unused] : object.items()) {
    bool found = false;
    for (const std::string& each : known) found = found || each == name;
    if (found) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", ToPrintable(name), "' of ", where, " is not known"));
  }
  return absl::OkStatus();
}

absl::Status TakeText(const json& object, const char* name, std::string* text) {
  const auto found = object.find(name);
  if (found == object.end()) return absl::OkStatus();
  if (!found->is_string()) return WrongForm(name, "a text");
  *text = found->get<std::string>();
  return absl::OkStatus();
}

absl::Status TakeParameters(const json& object, ParameterMap* parameters) {
  const auto found = object.find("parameters");
  if (found == object.end()) return absl::OkStatus();
  if (!found->is_object()) return WrongForm("parameters", "an object");
  for (const auto& [name, value] : found->items()) {
    inference::InferParameter& parameter = (*parameters)[name];
    if (value.is_boolean()) {
      parameter.set_bool_param(value.get<bool>());
    } else if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) {
      parameter.set_uint64_param(value.get<uint64_t>());
    } else if (value.is_number_integer()) {
      parameter.set_int64_param(value.get<int64_t>());
    } else if (value.is_number_float()) {
      parameter.set_double_param(value.get<double>());
    } else if (value.is_string()) {
      parameter.set_string_param(value.get<std::string>());
    } else {
      return WrongForm(name, "a number, a text, true or false");
    }
  }
  return absl::OkStatus();
}

// Removes a parameter that is true or false, and returns it if it is there.
absl::StatusOr<std::optional<bool>> TakeFlag(const char* name, ParameterMap* parameters) {
  const auto found = parameters->find(name);
  if (found == parameters->end()) return std::nullopt;
  if (!found->second.has_bool_param()) return WrongForm(name, "true or false");
  const bool flag = found->second.bool_param();
  parameters->erase(name);
  return flag;
}

absl::StatusOr<std::optional<int64_t>> TakeBinarySize(ParameterMap* parameters) {
  const auto found = parameters->find(kBinaryDataSize);
  if (found == parameters->end()) return std::nullopt;
  if (!found->second.has_int64_param() || found->second.int64_param() < 0) {
    return WrongForm(kBinaryDataSize, "a number of bytes");
  }
  const int64_t size = found->second.int64_param();
  parameters->erase(kBinaryDataSize);
  return size;
}

absl::Status TakeShape(const json& object, RestInputTensor* tensor) {
  const auto found = object.find("shape");
  if (found == object.end() || !found->is_array()) return WrongForm("shape", "an array of integers");
  for (const json& extent : *found) {
    if (!extent.is_number_integer()) return WrongForm("shape", "an array of integers");
    tensor->add_shape(extent.get<int64_t>());
  }
  return absl::OkStatus();
}

absl::Status TakeData(google::protobuf::RepeatedField<float>* data, RestInputTensor* tensor) {
  inference::InferTensorContents& contents = *tensor->mutable_contents();
  if (tensor->datatype() == "FP32") {
    contents.mutable_fp32_contents()->Swap(data);
    return absl::OkStatus();
  }
  if (tensor->datatype() != "UINT8") {
    return absl::InvalidArgumentError(absl::StrCat("input '", ToPrintable(tensor->name()), "' has datatype '",
                                                   ToPrintable(tensor->datatype()),
                                                   "', of which data cannot be; send FP32 or UINT8, or binary data "
                                                   "with parameter binary_data_size"));
  }
  contents.mutable_uint_contents()->Reserve(data->size());
  for (const float element : *data) {
    if (!(element >= 0 && element <= 255) || element != std::floor(element)) {
      return absl::InvalidArgumentError(
          absl::StrCat("data of 'input' holds ", element, ", expected integers of 0 to 255 as its datatype is UINT8"));
    }
    contents.add_uint_contents(static_cast<uint32_t>(element));
  }
  return absl::OkStatus();
}

// The bytes behind the JSON, of which each input with binary_data_size takes its part.
class BinaryPart {
 public:
  BinaryPart(std::string body, size_t begin) : body_(std::move(body)), next_(begin) {}

  absl::string_view json() const { return absl::string_view(body_).substr(0, next_); }

  absl::StatusOr<std::string> Take(int64_t size) {
    const auto left = static_cast<int64_t>(body_.size() - next_);
    if (size > left) {
      return absl::InvalidArgumentError(absl::StrCat("binary_data_size is ", size, ", and ", left,
                                                     " bytes are left behind the JSON; Inference-Header-Content-Length "
                                                     "says where they begin"));
    }
    if (size == left) {
      body_.erase(0, std::exchange(next_, 0));  // without a second copy
      return std::exchange(body_, std::string());
    }
    next_ += static_cast<size_t>(size);
    return body_.substr(next_ - static_cast<size_t>(size), static_cast<size_t>(size));
  }

  absl::Status CheckAllTaken() const {
    if (next_ == body_.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(body_.size() - next_, " bytes behind the JSON belong to no input; ",
                                                   "the sum of binary_data_size must be their number"));
  }

 private:
  std::string body_;
  size_t next_;
};

absl::Status TakeInput(const json& object, google::protobuf::RepeatedField<float>* data, BinaryPart* binary,
                       inference::ModelInferRequest* request) {
  if (!object.is_object()) return WrongForm("inputs", "an array of objects");
  KWTA_RETURN_IF_ERROR(CheckKeys(object, {"name", "datatype", "shape", "parameters", "data"}, "an input"));
  RestInputTensor* tensor = request->add_inputs();
  KWTA_RETURN_IF_ERROR(TakeText(object, "name", tensor->mutable_name()));
  KWTA_RETURN_IF_ERROR(TakeText(object, "datatype", tensor->mutable_datatype()));
  KWTA_RETURN_IF_ERROR(TakeShape(object, tensor));
  KWTA_RETURN_IF_ERROR(TakeParameters(object, tensor->mutable_parameters()));
  KWTA_ASSIGN_OR_RETURN(const std::optional<int64_t> size, TakeBinarySize(tensor->mutable_parameters()));
  const bool has_data = object.contains("data");
  if (size.has_value() && has_data) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", ToPrintable(tensor->name()), "' has data and binary_data_size; send one of them"));
  }
  if (has_data) return TakeData(data, tensor);
  if (!size.has_value()) {
    // Elements elsewhere, as in shared memory, are what the parameters say.
    if (!tensor->parameters().empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("input '", ToPrintable(tensor->name()),
                                                   "' has no elements; send data, or binary data with parameter "
                                                   "binary_data_size"));
  }
  KWTA_ASSIGN_OR_RETURN(*request->add_raw_input_contents(), binary->Take(*size));
  return absl::OkStatus();
}

absl::Status TakeOutput(const json& object, RestInferRequest* request) {
  if (!object.is_object()) return WrongForm("outputs", "an array of objects");
  KWTA_RETURN_IF_ERROR(CheckKeys(object, {"name", "parameters"}, "an output"));
  auto* output = request->request.add_outputs();
  KWTA_RETURN_IF_ERROR(TakeText(object, "name", output->mutable_name()));
  KWTA_RETURN_IF_ERROR(TakeParameters(object, output->mutable_parameters()));
  KWTA_ASSIGN_OR_RETURN(const std::optional<bool> binary, TakeFlag(kBinaryData, output->mutable_parameters()));
  if (binary.has_value()) request->binary_output[output->name()] = *binary;
  return absl::OkStatus();
}

absl::StatusOr<size_t> JsonBytes(const std::string& body, absl::string_view header_length) {
  if (header_length.empty()) return body.size();
  uint64_t bytes = 0;
  if (absl::SimpleAtoi(header_length, &bytes) && bytes > 0 && bytes <= body.size()) return bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("Inference-Header-Content-Length is '", ToPrintable(header_length),
                   "', expected the bytes of JSON at the beginning of the body, which has ", body.size()));
}

template <typename Request>
absl::StatusOr<Request> ParseRepositoryRequest(const std::string& body) {
  Request request;
  if (body.empty()) return request;
  DataList data;
  KWTA_ASSIGN_OR_RETURN(const json root, ParseObject(body, &data));
  KWTA_RETURN_IF_ERROR(CheckKeys(root, {"parameters"}, "the request"));
  ParameterMap parameters;
  KWTA_RETURN_IF_ERROR(TakeParameters(root, &parameters));
  for (const auto& [name, value] : parameters) {
    inference::ModelRepositoryParameter& parameter = (*request.mutable_parameters())[name];
    if (value.has_bool_param()) {
      parameter.set_bool_param(value.bool_param());
    } else if (value.has_int64_param()) {
      parameter.set_int64_param(value.int64_param());
    } else {
      parameter.set_string_param(value.string_param());
    }
  }
  return request;
}

}  // namespace

absl::StatusOr<RestInferRequest> ParseRestInferRequest(std::string body, absl::string_view header_length) {
  RestInferRequest parsed;
  DataList data;
  KWTA_ASSIGN_OR_RETURN(const size_t json_bytes, JsonBytes(body, header_length));
  BinaryPart binary(std::move(body), json_bytes);
  KWTA_ASSIGN_OR_RETURN(const json root, ParseObject(binary.json(), &data));
  KWTA_RETURN_IF_ERROR(CheckKeys(root, {"id", "model_name", "parameters", "inputs", "outputs"}, "the request"));
  inference::ModelInferRequest& request = parsed.request;
  KWTA_RETURN_IF_ERROR(TakeText(root, "id", request.mutable_id()));
  KWTA_RETURN_IF_ERROR(TakeParameters(root, request.mutable_parameters()));
  KWTA_ASSIGN_OR_RETURN(const std::optional<bool> binary_outputs,
                        TakeFlag(kBinaryDataOutput, request.mutable_parameters()));
  parsed.binary_outputs = binary_outputs.value_or(false);
  const auto inputs = root.find("inputs");
  if (inputs == root.end() || !inputs->is_array()) return WrongForm("inputs", "an array of objects");
  data.resize(inputs->size());
  for (size_t i = 0; i < inputs->size(); ++i) {
    KWTA_RETURN_IF_ERROR(TakeInput((*inputs)[i], &data[i], &binary, &request));
  }
  KWTA_RETURN_IF_ERROR(binary.CheckAllTaken());
  const auto outputs = root.find("outputs");
  if (outputs == root.end()) return parsed;
  if (!outputs->is_array()) return WrongForm("outputs", "an array of objects");
  for (const json& output : *outputs) KWTA_RETURN_IF_ERROR(TakeOutput(output, &parsed));
  return parsed;
}

absl::StatusOr<inference::RepositoryIndexRequest> ParseRestIndexRequest(const std::string& body) {
  inference::RepositoryIndexRequest request;
  if (body.empty()) return request;
  DataList data;
  KWTA_ASSIGN_OR_RETURN(const json root, ParseObject(body, &data));
  KWTA_RETURN_IF_ERROR(CheckKeys(root, {"ready"}, "the request"));
  const auto ready = root.find("ready");
  if (ready == root.end()) return request;
  if (!ready->is_boolean()) return WrongForm("ready", "true or false");
  request.set_ready(ready->get<bool>());
  return request;
}

absl::StatusOr<inference::RepositoryModelLoadRequest> ParseRestLoadRequest(const std::string& body) {
  return ParseRepositoryRequest<inference::RepositoryModelLoadRequest>(body);
}

absl::StatusOr<inference::RepositoryModelUnloadRequest> ParseRestUnloadRequest(const std::string& body) {
  return ParseRepositoryRequest<inference::RepositoryModelUnloadRequest>(body);
}

}  // namespace kwta::server

#include "server/web/rest/rest_response.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "server/oip/inference_response.h"

namespace kwta::server {
namespace {

using ResponseTensor = inference::ModelInferResponse::InferOutputTensor;

std::string Quoted(const std::string& text) { return nlohmann::json(ToUtf8(text)).dump(); }

// Appends elements to an array of JSON for as long as they fit into the limit.
class ArrayWriter {
 public:
  ArrayWriter(std::string* json, size_t most) : json_(*json), most_(most) { json_.push_back('['); }

  template <typename T>
  bool AddNumbers(const std::string& raw) {
    for (size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T)) {
      T value;
      std::memcpy(&value, raw.data() + i, sizeof(T));
      std::array<char, 32> text;
      const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
      if (!Add({text.data(), static_cast<size_t>(end - text.data())})) return false;
    }
    return true;
  }

  // Elements of BYTES: each has its length before it.
  bool AddTexts(const std::string& raw) {
    for (size_t i = 0; i + 4 <= raw.size();) {
      uint32_t length = 0;
      for (size_t byte = 0; byte < 4; ++byte) length |= uint32_t{static_cast<uint8_t>(raw[i + byte])} << (8 * byte);
      if (!Add(Quoted(raw.substr(i + 4, length)))) return false;
      i += 4 + length;
    }
    return true;
  }

  void End() { json_.push_back(']'); }

 private:
  bool Add(absl::string_view element) {
    if (json_.size() + element.size() > most_) return false;
    if (json_.back() != '[') json_.push_back(',');
    json_.append(element.data(), element.size());
    return true;
  }

  std::string& json_;
  const size_t most_;
};

// Returns false if the elements do not fit.
bool AppendData(const ResponseTensor& tensor, const std::string& raw, size_t most, std::string* json) {
  json->append(",\"data\":");
  ArrayWriter writer(json, most);
  const bool fits = tensor.datatype() == "FP32"    ? writer.AddNumbers<float>(raw)
                    : tensor.datatype() == "INT32" ? writer.AddNumbers<int32_t>(raw)
                    : tensor.datatype() == "INT64" ? writer.AddNumbers<int64_t>(raw)
                                                   : writer.AddTexts(raw);
  writer.End();
  return fits;
}

// JSON has no NaN and no infinity, which activities of enormous inputs may be.
bool HoldsNonFinite(const ResponseTensor& tensor, const std::string& raw) {
  if (tensor.datatype() != "FP32") return false;
  for (size_t i = 0; i + sizeof(float) <= raw.size(); i += sizeof(float)) {
    float value;
    std::memcpy(&value, raw.data() + i, sizeof(float));
    if (!std::isfinite(value)) return true;
  }
  return false;
}

bool IsBinary(const std::string& output, const RestInferRequest& request) {
  const auto found = request.binary_output.find(output);
  return found == request.binary_output.end() ? request.binary_outputs : found->second;
}

}  // namespace

absl::StatusOr<HttpResponse> WriteRestInferResponse(const inference::ModelInferResponse& response,
                                                    const RestInferRequest& request, int64_t max_bytes) {
  std::string json = absl::StrCat("{\"model_name\":", Quoted(response.model_name()),
                                  ",\"model_version\":", Quoted(response.model_version()));
  if (!response.id().empty()) absl::StrAppend(&json, ",\"id\":", Quoted(response.id()));
  if (const auto zeroed = response.parameters().find(kZeroedElements); zeroed != response.parameters().end()) {
    absl::StrAppend(&json, ",\"parameters\":{\"", kZeroedElements, "\":", zeroed->second.int64_param(), "}");
  }
  json.append(",\"outputs\":[");
  bool binary = false;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const ResponseTensor& tensor = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    absl::StrAppend(&json, i == 0 ? "" : ",", "{\"name\":", Quoted(tensor.name()), ",\"datatype\":\"",
                    tensor.datatype(), "\",\"shape\":[");
    for (int axis = 0; axis < tensor.shape_size(); ++axis) {
      absl::StrAppend(&json, axis == 0 ? "" : ",", tensor.shape(axis));
    }
    json.push_back(']');
    if (IsBinary(tensor.name(), request)) {
      absl::StrAppend(&json, ",\"parameters\":{\"binary_data_size\":", raw.size(), "}");
      binary = true;
    } else if (HoldsNonFinite(tensor, raw)) {
      return absl::InvalidArgumentError(absl::StrCat("output '", tensor.name(), "' holds NaN or infinity, which JSON ",
                                                     "cannot; ask for it with parameter binary_data, or send smaller ",
                                                     "numbers"));
    } else if (!AppendData(tensor, raw, static_cast<size_t>(max_bytes), &json)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the answer has more than ", max_bytes,
                       " bytes as JSON (--max-message-bytes); send fewer rows, ask for fewer ",
                       "outputs, or for binary data with parameter binary_data_output"));
    }
    json.push_back('}');
  }
  json.append("]}");
  HttpResponse answer = HttpJson(std::move(json));
  if (!binary) return answer;
  answer.type = "application/octet-stream";
  answer.headers.emplace_back("Inference-Header-Content-Length", absl::StrCat(answer.body.size()));
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (IsBinary(response.outputs(i).name(), request)) answer.body += response.raw_output_contents(i);
  }
  return answer;
}

}  // namespace kwta::server

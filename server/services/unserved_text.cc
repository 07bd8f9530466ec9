#include "server/services/unserved_text.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kwta::server {
namespace {

// Methods of the Open Inference Protocol that other servers have, by the prefixes of their names.
struct Unserved {
  const char* prefix;
  const char* words;
};
constexpr Unserved kUnserved[] = {
    {"SystemSharedMemory", "shared memory is not served: send the tensors' elements in the request"},
    {"CudaSharedMemory", "shared memory of devices is not served: send the tensors' elements in the request"},
    {"TraceSetting", "settings of traces are not served: calls are known by the x-request-id or traceparent they send"},
    {"LogSettings", "settings of the log are not served: the server's --log-level sets them"},
};

}  // namespace

std::string UnservedText(absl::string_view path) {
  const absl::string_view whole = absl::StripPrefix(path, "/");
  const size_t slash = whole.find('/');
  const absl::string_view service = whole.substr(0, slash);
  const absl::string_view method = slash == absl::string_view::npos ? absl::string_view() : whole.substr(slash + 1);
  if (service == "inference.GRPCInferenceService") {
    for (const Unserved& each : kUnserved) {
      if (absl::StartsWith(method, each.prefix)) return absl::StrCat(method, ": ", each.words);
    }
  }
  return absl::StrCat("this server has no method '", whole,
                      "'; it serves kwta.v1.EncoderService and inference.GRPCInferenceService, and may be older than "
                      "the client");
}

}  // namespace kwta::server

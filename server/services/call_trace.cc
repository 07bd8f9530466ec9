#include "server/services/call_trace.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/logging.h"

namespace kwta::server {
namespace {

constexpr size_t kMaxRequestId = 128;

bool IsRequestId(absl::string_view text) {
  return text.size() <= kMaxRequestId && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

// True for 00-<32 digits>-<16 digits>-<2 digits>. Later versions may append more.
bool IsTraceparent(absl::string_view text) {
  constexpr char kForm[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
  constexpr size_t kLength = sizeof(kForm) - 1;
  if (text.size() < kLength || text.size() > kMaxRequestId || (text.size() > kLength && text[kLength] != '-'))
    return false;
  for (size_t i = 0; i < kLength; ++i) {
    const bool digit = absl::ascii_isdigit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    if (kForm[i] == 'h' ? !digit : text[i] != kForm[i]) return false;
  }
  return std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

CallTrace TraceOf(absl::string_view request_id, absl::string_view traceparent) {
  CallTrace trace;
  if (IsRequestId(request_id)) trace.request_id = std::string(request_id);
  if (IsTraceparent(traceparent)) trace.traceparent = std::string(traceparent);
  return trace;
}

void LogCall(absl::string_view method, absl::string_view caller, const CallTrace& trace, const absl::Status& status,
             absl::Duration took) {
  const spdlog::level::level_enum level = IsOurFault(status.code()) ? spdlog::level::err : spdlog::level::debug;
  if (!spdlog::should_log(level)) return;
  spdlog::log(level, "{}",
              WithFields("call", {{"method", method},
                                  {"code", absl::StatusCodeToString(status.code())},
                                  {"caller", caller},
                                  {"request_id", trace.request_id},
                                  {"traceparent", trace.traceparent},
                                  {"milliseconds", absl::StrCat(absl::ToDoubleMilliseconds(took))},
                                  {"error", status.message()}}));
}

}  // namespace kwta::server

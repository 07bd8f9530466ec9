#include "server/logging.h"

#include <spdlog/details/log_msg.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "core/base/utf8.h"
#include "nlohmann/json.hpp"

namespace kwta::server {
namespace {

// Marks the start of a message that has fields, of each field, and of its value. A message that does not begin with it
// has no fields, whatever it contains.
constexpr char kField = '\x1e';
constexpr char kValue = '\x1f';

absl::string_view View(spdlog::string_view_t text) { return {text.data(), text.size()}; }

// Keeps a log line on one line and its terminal unharmed, whatever a caller has sent.
std::string OneLine(absl::string_view text) {
  std::string line = ToUtf8(text);
  for (size_t i = 0; i < line.size(); ++i) {
    const auto byte = [&](size_t at) { return at < line.size() ? static_cast<unsigned char>(line[at]) : 0; };
    if (byte(i) < ' ' || byte(i) == 0x7F) line[i] = ' ';
    if (byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) line.replace(i, 2, 1, ' ');  // U+0080 to U+009F
  }
  return line;
}

// Removes the characters that separate fields.
std::string Unmarked(absl::string_view text) {
  return absl::StrReplaceAll(text, {{std::string(1, kField), " "}, {std::string(1, kValue), " "}});
}

std::vector<absl::string_view> PartsOf(absl::string_view payload) {
  if (!absl::ConsumePrefix(&payload, std::string(1, kField))) return {payload};
  return absl::StrSplit(payload, kField);
}

class Formatter final : public spdlog::formatter {
 public:
  explicit Formatter(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::vector<absl::string_view> parts = PartsOf(View(message.payload));
    const std::string line = json_ ? Json(message, parts) : Text(message, parts);
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<Formatter>(json_); }

 private:
  static std::string Text(const spdlog::details::log_msg& message, const std::vector<absl::string_view>& parts) {
    std::string line = absl::StrFormat(
        "%s %-7s %s", absl::FormatTime("%Y-%m-%d %H:%M:%E3S", absl::FromChrono(message.time), absl::UTCTimeZone()),
        View(spdlog::level::to_string_view(message.level)), OneLine(parts.front()));
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::pair<absl::string_view, absl::string_view> field =
          absl::StrSplit(parts[i], absl::MaxSplits(kValue, 1));
      absl::StrAppend(&line, " ", field.first, "=", OneLine(field.second));
    }
    return line + "\n";
  }

  static std::string Json(const spdlog::details::log_msg& message, const std::vector<absl::string_view>& parts) {
    nlohmann::ordered_json json = {
        {"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(message.time), absl::UTCTimeZone())},
        {"level", std::string(View(spdlog::level::to_string_view(message.level)))},
        {"message", std::string(parts.front())}};
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::pair<std::string, std::string> field = absl::StrSplit(parts[i], absl::MaxSplits(kValue, 1));
      json[field.first] = field.second;
    }
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  const bool json_;
};

}  // namespace

std::unique_ptr<spdlog::formatter> LogFormatter(bool json) { return std::make_unique<Formatter>(json); }

std::string WithFields(absl::string_view message,
                       std::initializer_list<std::pair<absl::string_view, absl::string_view>> fields) {
  std::string text = absl::StrCat(std::string(1, kField), Unmarked(message));
  for (const auto& [name, value] : fields) {
    if (!value.empty()) absl::StrAppend(&text, std::string(1, kField), name, std::string(1, kValue), Unmarked(value));
  }
  return text;
}

}  // namespace kwta::server

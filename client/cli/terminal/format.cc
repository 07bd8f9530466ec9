#include "client/cli/terminal/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kwta::client::cli {

std::string HumanCount(uint64_t count) {
  std::string text = absl::StrCat(count);
  for (auto position = static_cast<int64_t>(text.size()) - 3; position > 0; position -= 3) text.insert(position, ",");
  return text;
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string HumanDuration(absl::Duration duration) {
  const double exact = std::max(absl::ToDoubleSeconds(duration), 0.0);
  if (exact < 9.95) return absl::StrFormat("%.1f s", exact);
  const auto seconds = static_cast<int64_t>(std::llround(exact));
  if (seconds < 60) return absl::StrFormat("%d s", seconds);
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return absl::StrFormat("%d min %02d s", minutes, seconds % 60);
  const int64_t hours = minutes / 60;
  if (hours < 24) return absl::StrFormat("%d h %02d min", hours, minutes % 60);
  return absl::StrFormat("%d d %02d h", hours / 24, hours % 24);
}

std::string HumanRate(double per_second) {
  if (per_second < 9.95) return absl::StrFormat("%.1f", std::max(per_second, 0.0));
  return HumanCount(static_cast<uint64_t>(std::llround(per_second)));
}

std::string Percent(double fraction) { return absl::StrFormat("%.2f%%", 100 * fraction); }

std::string Decimals(double number) {
  return std::abs(number) < 1e4 ? absl::StrFormat("%.4f", number) : absl::StrFormat("%.4g", number);
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

}  // namespace kwta::client::cli

// Formats numbers, sizes and times for people.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace kwta::client::cli {

// 60000 -> "60,000".
std::string HumanCount(uint64_t count);
// 1536 -> "1.5 KiB".
std::string HumanBytes(uint64_t bytes);
// "0.4 s", "12 s", "3 min 20 s", "2 h 05 min", "3 d 04 h". Negative durations count as zero.
std::string HumanDuration(absl::Duration duration);
// A rate per second: one decimal below 10, grouped digits above.
std::string HumanRate(double per_second);
// 0.1215 -> "12.15%".
std::string Percent(double fraction);
// Four decimals; 10,000 and more as 2.261e+58, four digits.
std::string Decimals(double number);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);

}  // namespace kwta::client::cli

#include "core/base/parse_number.h"

#include <charconv>
#include <cmath>
#include <system_error>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

// Messages show at most this much of a text that is no number.
constexpr size_t kMostShown = 40;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kMostShown)), text.size() > kMostShown ? "..." : "", "'");
}

// Writes "10000000", not "1e+07".
template <typename T>
std::string Words(T number) {
  constexpr double kDigitsAreExact = 1e15;
  const auto value = static_cast<double>(number);
  if (std::is_integral_v<T> || std::abs(value) > kDigitsAreExact || value != std::trunc(value)) {
    return absl::StrCat(number);
  }
  return absl::StrCat(static_cast<int64_t>(value));
}

template <typename T>
std::string RangeWords(T low, T high, bool above) {
  const bool open_below = low == std::numeric_limits<T>::lowest() && !above;
  const bool open_above = high == std::numeric_limits<T>::max();
  if (open_below && open_above) return "";
  if (open_below) return absl::StrCat("at most ", Words(high));
  const std::string from = absl::StrCat(above ? "above " : "at least ", Words(low));
  if (open_above) return from;
  return above ? absl::StrCat(from, ", at most ", Words(high)) : absl::StrCat(Words(low), " .. ", Words(high));
}

enum class Reading { kGood, kNoNumber, kOutOfRange };

template <typename T>
Reading Read(absl::string_view text, T* value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  if (error == std::errc::invalid_argument || rest != end) return Reading::kNoNumber;
  // An unsigned type has already refused "-5" above.
  if constexpr (std::is_floating_point_v<T>) {
    const size_t first = absl::StartsWith(text, "-") ? 1 : 0;
    if (!absl::ascii_isdigit(text[first]) && text[first] != '.') return Reading::kNoNumber;  // "nan", "inf"
  }
  return error == std::errc() ? Reading::kGood : Reading::kOutOfRange;
}

}  // namespace

template <typename T>
absl::StatusOr<T> NumberIn<T>::Parse(absl::string_view text) const {
  constexpr bool whole = std::is_integral_v<T>;
  T value{};
  const Reading reading = Read(text, &value);
  if (reading == Reading::kGood && value <= high_ && (above_ ? value > low_ : value >= low_)) return value;
  // A reader of the message sees "-5" as a number, even if the type is unsigned.
  int64_t negative = 0;
  const bool number = reading != Reading::kNoNumber || (whole && Read(text, &negative) != Reading::kNoNumber);
  std::string range = Range();
  if (range.empty() && whole && number) range = absl::StrCat(Lowest(), " .. ", Highest());
  const std::string kind = whole ? "whole number" : "number";
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(text), number ? " is out of range" : absl::StrCat(" is no ", kind), "; expected a ", kind,
                   unit_.empty() ? "" : " of ", unit_, range.empty() ? "" : ", ", range));
}

template <typename T>
std::string NumberIn<T>::Range() const {
  return RangeWords(low_, high_, above_);
}

template <typename T>
std::string NumberIn<T>::operator()(std::string& text) const {
  const absl::StatusOr<T> value = Parse(text);
  if (!value.ok()) return std::string(value.status().message());
  // A fraction keeps its text, so that no digit is lost.
  if constexpr (std::is_integral_v<T>) text = absl::StrCat(*value);
  return "";
}

template class NumberIn<int32_t>;
template class NumberIn<int64_t>;
template class NumberIn<uint32_t>;
template class NumberIn<uint64_t>;
template class NumberIn<float>;
template class NumberIn<double>;

absl::StatusOr<uint64_t> SizeIn::Parse(absl::string_view text) const {
  constexpr absl::string_view kPrefixes = "KMGTPE";
  constexpr uint64_t kKilo = 1024;
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  std::string unit = absl::AsciiStrToUpper(absl::StripLeadingAsciiWhitespace(text.substr(digits)));
  const size_t prefix = unit.empty() ? absl::string_view::npos : kPrefixes.find(unit[0]);
  if (prefix != absl::string_view::npos) unit.erase(0, 1);
  const bool known = unit.empty() || unit == "B" || (prefix != absl::string_view::npos && unit == "IB");
  uint64_t bytes = 0;
  const Reading reading = known ? Read(text.substr(0, digits), &bytes) : Reading::kNoNumber;
  bool fits = reading == Reading::kGood;
  for (size_t i = 0; fits && prefix != absl::string_view::npos && i <= prefix; ++i) {
    fits = !__builtin_mul_overflow(bytes, kKilo, &bytes);
  }
  if (fits && bytes >= low_ && bytes <= high_) return bytes;
  const std::string range = Range();
  return absl::InvalidArgumentError(absl::StrCat(
      Quoted(text), reading == Reading::kNoNumber ? " is no number of bytes" : " is out of range",
      "; expected a whole number of bytes such as 65536, 512MB or 8GiB", range.empty() ? "" : ", ", range));
}

std::string SizeIn::Range() const { return RangeWords(low_, high_, false); }

std::string SizeIn::operator()(std::string& text) const {
  const absl::StatusOr<uint64_t> bytes = Parse(text);
  if (!bytes.ok()) return std::string(bytes.status().message());
  text = absl::StrCat(*bytes);
  return "";
}

}  // namespace kwta

// Parses numbers as people write them, in flags, environment variables and option files.
//
// A number is decimal digits, with a leading '-' if T is signed. A float or double may have a point and an exponent.
// Leading zeros mean nothing: "025" is 25. Nothing else is a number: no hexadecimal, no "nan" or "inf", no '+', no
// space, no unit. A number that T cannot hold is refused, not rounded to infinity or to 0.
//
// CLI11's own reader takes "025" as octal and "true" as 1, so its options use this reader:
//
//   app.add_option("--epochs", epochs, "Passes over the rows")
//       ->transform(NumberIn<uint32_t>::Between(1, 1000).As<CLI::Validator>());
//   app.add_option("--linger-ms", linger, "Time that a batch waits")
//       ->transform(NumberIn<double>::Between(0, 60'000).Of("milliseconds").As<CLI::Validator>());
//   app.add_option("--memory", bytes, "Memory of models")->transform(SizeIn::AtLeast(0).As<CLI::Validator>());
//
// Use `transform`, not `check`: the reader passes plain digits on. NumberIn<T> and the option must have the same T.
// Everything here is immutable and thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta {

// Reads numbers in a range. T: int32_t, int64_t, uint32_t, uint64_t, float or double.
template <typename T>
class NumberIn {
 public:
  // Any value of T; floats and doubles must be finite.
  static NumberIn Any() { return NumberIn(Lowest(), Highest(), false); }
  static NumberIn AtLeast(T low) { return NumberIn(low, Highest(), false); }
  static NumberIn Above(T low) { return NumberIn(low, Highest(), true); }
  // Includes both ends.
  static NumberIn Between(T low, T high) { return NumberIn(low, high, false); }
  // Excludes `low`, includes `high`.
  static NumberIn AboveUpTo(T low, T high) { return NumberIn(low, high, true); }

  // Returns the same range with a unit for its messages: "seconds".
  NumberIn Of(absl::string_view unit) const {
    NumberIn with_unit = *this;
    with_unit.unit_ = std::string(unit);
    return with_unit;
  }

  // Errors: INVALID_ARGUMENT, with the text and the expected range.
  absl::StatusOr<T> Parse(absl::string_view text) const;

  // Returns "1 .. 1000", "at least 1" or "above 0"; empty if there is no range.
  std::string Range() const;

  // For option parsers. Turns `text` into plain digits and returns "", or returns an error message.
  std::string operator()(std::string& text) const;
  template <typename Validator>
  Validator As() const {
    return Validator(*this, Range());
  }

 private:
  NumberIn(T low, T high, bool above) : low_(low), high_(high), above_(above) {}
  static constexpr T Lowest() { return std::numeric_limits<T>::lowest(); }
  static constexpr T Highest() { return std::numeric_limits<T>::max(); }

  T low_, high_;
  bool above_;  // excludes low_ itself
  std::string unit_;
};

// Reads numbers of bytes: digits and one of B, KB, MB, GB, TB, PB, EB, in either case, also without the B or as KiB. A
// KB is 1024 bytes in every spelling.
class SizeIn {
 public:
  static SizeIn AtLeast(uint64_t low) { return SizeIn(low, std::numeric_limits<uint64_t>::max()); }
  static SizeIn Between(uint64_t low, uint64_t high) { return SizeIn(low, high); }

  // Returns bytes. Errors: as above.
  absl::StatusOr<uint64_t> Parse(absl::string_view text) const;
  std::string Range() const;
  std::string operator()(std::string& text) const;
  template <typename Validator>
  Validator As() const {
    return Validator(*this, Range());
  }

 private:
  SizeIn(uint64_t low, uint64_t high) : low_(low), high_(high) {}

  uint64_t low_, high_;
};

}  // namespace kwta

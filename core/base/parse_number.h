// Numbers as people write them: the one reader for flags, environment variables and files of options.
//
// A number is decimal digits, with a leading '-' where T is signed; a float or double may have a point and an exponent.
// Leading zeros mean nothing: "025" is 25. Nothing else is a number: no hexadecimal, no "nan" or "inf", no '+', no
// space, no unit. What T cannot hold is refused, not rounded to infinity or to 0.
//
// An option of CLI11 takes a number so, as the library's own reader takes "025" as octal and "true" as 1:
//
//   app.add_option("--epochs", epochs, "Passes over the rows")
//       ->transform(NumberIn<uint32_t>::Between(1, 1000).As<CLI::Validator>());
//   app.add_option("--linger-ms", linger, "Time that a batch waits")
//       ->transform(NumberIn<double>::Between(0, 60'000).Of("milliseconds").As<CLI::Validator>());
//   app.add_option("--memory", bytes, "Memory of models")->transform(SizeIn::AtLeast(0).As<CLI::Validator>());
//
// It must be `transform`, not `check`: the reader hands plain digits on. NumberIn<T> and the option must have the same
// T. Everything here is immutable and thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta {

// Reads numbers of a range. T: int32_t, int64_t, uint32_t, uint64_t, float or double.
template <typename T>
class NumberIn {
 public:
  // What T holds; of float and double, what is finite.
  static NumberIn Any() { return NumberIn(Lowest(), Highest(), false); }
  static NumberIn AtLeast(T low) { return NumberIn(low, Highest(), false); }
  static NumberIn Above(T low) { return NumberIn(low, Highest(), true); }
  // Both ends included.
  static NumberIn Between(T low, T high) { return NumberIn(low, high, false); }
  // Without `low`, with `high`.
  static NumberIn AboveUpTo(T low, T high) { return NumberIn(low, high, true); }

  // The same, with a unit in its messages: "seconds".
  NumberIn Of(absl::string_view unit) const {
    NumberIn with_unit = *this;
    with_unit.unit_ = std::string(unit);
    return with_unit;
  }

  // Errors: INVALID_ARGUMENT, with the text and what was expected.
  absl::StatusOr<T> Parse(absl::string_view text) const;

  // "1 .. 1000", "at least 1", "above 0"; empty if there is no range.
  std::string Range() const;

  // For libraries that read options: turns `text` into plain digits and returns "", or returns what is wrong.
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
  bool above_;  // low_ itself is not in the range
  std::string unit_;
};

// Reads numbers of bytes: digits, and one of B, KB, MB, GB, TB, PB, EB, with or without the B or as KiB, in either
// case. A KB is 1024 bytes, whichever way it is written.
class SizeIn {
 public:
  static SizeIn AtLeast(uint64_t low) { return SizeIn(low, std::numeric_limits<uint64_t>::max()); }
  static SizeIn Between(uint64_t low, uint64_t high) { return SizeIn(low, high); }

  // In bytes. Errors: as above.
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

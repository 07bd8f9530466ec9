#include "core/base/parse_number.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/status/status.h"

namespace kwta {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

template <typename T>
std::string ErrorOf(const NumberIn<T>& numbers, const std::string& text) {
  const absl::StatusOr<T> value = numbers.Parse(text);
  if (value.ok()) return "was read";
  EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(value.status().message());
}

TEST(NumberIn, ReadsDecimalDigits) {
  EXPECT_EQ(NumberIn<uint32_t>::Any().Parse("25").value(), 25u);
  EXPECT_EQ(NumberIn<uint32_t>::Any().Parse("025").value(), 25u) << "never octal";
  EXPECT_EQ(NumberIn<uint32_t>::Any().Parse("08").value(), 8u);
  EXPECT_EQ(NumberIn<int32_t>::Any().Parse("-2147483648").value(), -2147483647 - 1);
  EXPECT_EQ(NumberIn<int64_t>::Any().Parse("9223372036854775807").value(), 9223372036854775807);
  EXPECT_EQ(NumberIn<uint64_t>::Any().Parse("18446744073709551615").value(), 18446744073709551615u);
  EXPECT_EQ(NumberIn<double>::Any().Parse("0.002").value(), 0.002);
  EXPECT_EQ(NumberIn<double>::Any().Parse("-1.5e-3").value(), -0.0015);
  EXPECT_EQ(NumberIn<double>::Any().Parse("010").value(), 10.0);
  EXPECT_EQ(NumberIn<float>::Any().Parse(".1").value(), 0.1f);
}

TEST(NumberIn, RefusesWhatIsNoNumber) {
  for (const char* text :
       {"",     " ",  "-",  "+5", " 5",  "5 ",   "5\n", "0x10",   "0b1", "1'000", "1_000",    "1,000",
        "true", "on", "5k", "1e", "nan", "-nan", "NAN", "nan(1)", "inf", "-inf",  "infinity", "٣"}) {
    EXPECT_THAT(ErrorOf(NumberIn<int32_t>::Any(), text), HasSubstr(" is no whole number; expected a whole number"))
        << text;
    EXPECT_THAT(ErrorOf(NumberIn<uint64_t>::Any(), text), HasSubstr(" is no whole number; expected a whole number"))
        << text;
    EXPECT_THAT(ErrorOf(NumberIn<float>::Any(), text), HasSubstr(" is no number; expected a number")) << text;
    EXPECT_THAT(ErrorOf(NumberIn<double>::Any(), text), HasSubstr(" is no number; expected a number")) << text;
  }
  EXPECT_EQ(ErrorOf(NumberIn<int32_t>::Any(), "1.5"), "'1.5' is no whole number; expected a whole number");
  EXPECT_EQ(ErrorOf(NumberIn<int32_t>::Any(), "1e3"), "'1e3' is no whole number; expected a whole number");
  EXPECT_EQ(ErrorOf(NumberIn<double>::Any(), std::string("1\0", 2)), "'1\\x00' is no number; expected a number");
}

TEST(NumberIn, SaysTheRangeInWords) {
  const auto between = NumberIn<int32_t>::Between(1, 1000);
  EXPECT_EQ(between.Range(), "1 .. 1000");
  EXPECT_TRUE(between.Parse("1").ok() && between.Parse("1000").ok());
  EXPECT_EQ(ErrorOf(between, "1001"), "'1001' is out of range; expected a whole number, 1 .. 1000");
  EXPECT_EQ(ErrorOf(between, "99999999999"), "'99999999999' is out of range; expected a whole number, 1 .. 1000");

  const auto at_least = NumberIn<uint64_t>::AtLeast(1);
  EXPECT_EQ(ErrorOf(at_least, "0"), "'0' is out of range; expected a whole number, at least 1");
  EXPECT_EQ(ErrorOf(at_least, "-5"), "'-5' is out of range; expected a whole number, at least 1");

  const auto above = NumberIn<double>::Above(0).Of("seconds");
  EXPECT_EQ(above.Range(), "above 0");
  EXPECT_EQ(ErrorOf(above, "0"), "'0' is out of range; expected a number of seconds, above 0");
  EXPECT_EQ(ErrorOf(above, "nan"), "'nan' is no number; expected a number of seconds, above 0");
  EXPECT_TRUE(above.Parse("1e-300").ok());

  EXPECT_EQ(NumberIn<double>::Between(0.1, 1e7).Range(), "0.1 .. 10000000");

  const auto part = NumberIn<double>::AboveUpTo(0, 1);
  EXPECT_TRUE(part.Parse("1").ok());
  EXPECT_EQ(ErrorOf(part, "0"), "'0' is out of range; expected a number, above 0, at most 1");
}

TEST(NumberIn, RefusesWhatTheTypeCannotHold) {
  EXPECT_EQ(ErrorOf(NumberIn<int32_t>::Any(), "2147483648"),
            "'2147483648' is out of range; expected a whole number, -2147483648 .. 2147483647");
  EXPECT_EQ(ErrorOf(NumberIn<uint32_t>::Any(), "-1"), "'-1' is out of range; expected a whole number, 0 .. 4294967295");
  EXPECT_EQ(ErrorOf(NumberIn<double>::Any(), "1e999"), "'1e999' is out of range; expected a number");
  EXPECT_EQ(ErrorOf(NumberIn<float>::Any(), "1e39"), "'1e39' is out of range; expected a number");
  EXPECT_EQ(ErrorOf(NumberIn<float>::Above(0), "1e-60"), "'1e-60' is out of range; expected a number, above 0")
      << "not 0";
}

TEST(NumberIn, ShowsNoMoreThanAFewCharactersOfTheText) {
  EXPECT_THAT(ErrorOf(NumberIn<double>::Any(), std::string(100'000, '9') + "x"), SizeIs(::testing::Lt(200u)));
  EXPECT_THAT(ErrorOf(NumberIn<double>::Any(), "\x1b[31m"), HasSubstr("'\\x1b[31m'"));
}

TEST(NumberIn, HandsPlainDigitsOnToLibrariesThatReadOptions) {
  std::string text = "007";
  EXPECT_EQ(NumberIn<int32_t>::AtLeast(1)(text), "");
  EXPECT_EQ(text, "7");
  text = "0.10";
  EXPECT_EQ(NumberIn<double>::Any()(text), "");
  EXPECT_EQ(text, "0.10");
  text = "0x1";
  EXPECT_EQ(NumberIn<int32_t>::AtLeast(1)(text), "'0x1' is no whole number; expected a whole number, at least 1");
}

TEST(SizeIn, TakesUnits) {
  const SizeIn any = SizeIn::AtLeast(0);
  EXPECT_EQ(any.Parse("0").value(), 0u);
  EXPECT_EQ(any.Parse("010").value(), 10u);
  EXPECT_EQ(any.Parse("12b").value(), 12u);
  for (const char* text : {"8G", "8g", "8GB", "8gb", "8 GB", "8GiB", "8 gib"}) {
    EXPECT_EQ(any.Parse(text).value(), uint64_t{8} << 30) << text;
  }
  EXPECT_EQ(any.Parse("3k").value(), 3072u);
  EXPECT_EQ(any.Parse("15EB").value(), uint64_t{15} << 60);
}

TEST(SizeIn, RefusesOtherTexts) {
  const SizeIn sizes = SizeIn::Between(1024, 1 << 20);
  for (const char* text : {"", "GB", "1.5GB", "-1", "8XB", "8GBB", "8 G B", "8iB", "0x10", "nan", "8GB "}) {
    EXPECT_THAT(std::string(sizes.Parse(text).status().message()), HasSubstr(" is no number of bytes; expected"))
        << text;
  }
  for (const char* text : {"1023", "2MB", "16EB", "99999999999999999999"}) {
    EXPECT_THAT(std::string(sizes.Parse(text).status().message()), HasSubstr("is out of range; expected")) << text;
  }
  EXPECT_EQ(sizes.Range(), "1024 .. 1048576");
  std::string text = "64KB";
  EXPECT_EQ(sizes(text), "");
  EXPECT_EQ(text, "65536");
}

}  // namespace
}  // namespace kwta

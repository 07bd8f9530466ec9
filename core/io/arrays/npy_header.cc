#include "core/io/arrays/npy_header.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;
constexpr uint64_t kMaxNpyHeaderBytes = 1 << 20;
constexpr size_t kMaxNpyDimensions = 32;  // NumPy's own limit.

struct TypeEntry {
  const char* name;
  size_t bytes;
  std::optional<DType> dtype;
};
constexpr TypeEntry kTypes[] = {{"<f4", 4, DType::kF32},  {"<f2", 2, DType::kF16},  {"|u1", 1, DType::kU8},
                                {"<i4", 4, DType::kI32},  {"<i8", 8, DType::kI64},  {"<f8", 8, std::nullopt},
                                {"|i1", 1, std::nullopt}, {"<i2", 2, std::nullopt}, {"<u2", 2, std::nullopt},
                                {"<u4", 4, std::nullopt}, {"<u8", 8, std::nullopt}};

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("npy header is malformed: ", what));
}

// Reads the one form of Python dictionary that NumPy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),
// }.
class DictionaryParser {
 public:
  explicit DictionaryParser(absl::string_view text) : rest_(text) {}

  absl::Status Parse() {
    if (!Take("{")) return Malformed("expected '{'");
    std::set<std::string> keys;
    while (!Take("}")) {
      KWTA_ASSIGN_OR_RETURN(const std::string key, String());
      if (!keys.insert(key).second) return Malformed(absl::StrCat("'", key, "' occurs twice"));
      if (!Take(":")) return Malformed(absl::StrCat("expected ':' after '", key, "'"));
      KWTA_RETURN_IF_ERROR(Value(key));
      if (!Take(",") && !Peek("}"))
        return Malformed(absl::StrCat("expected ',' or '}' after the value of '", key, "'"));
    }
    SkipSpace();
    if (!rest_.empty()) return Malformed("text follows the '}'");
    if (keys.size() != 3) return Malformed("expected the keys 'descr', 'fortran_order' and 'shape'");
    return absl::OkStatus();
  }

  const std::string& type_name() const { return type_name_; }
  bool fortran_order() const { return fortran_order_; }
  const Shape& shape() const { return shape_; }

 private:
  void SkipSpace() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }
  bool Peek(absl::string_view token) {
    SkipSpace();
    return absl::StartsWith(rest_, token);
  }
  bool Take(absl::string_view token) {
    SkipSpace();
    return absl::ConsumePrefix(&rest_, token);
  }

  absl::StatusOr<std::string> String() {
    if (!Take("'")) return Malformed("expected a string in single quotes");
    const size_t end = rest_.find('\'');
    if (end == absl::string_view::npos) return Malformed("a string does not end");
    const std::string value = absl::CHexEscape(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return value;
  }

  absl::Status Value(absl::string_view key) {
    if (key == "descr") {
      if (Peek("[")) {
        return absl::InvalidArgumentError(
            "npy arrays of records are not supported; save each field as an array of its own");
      }
      KWTA_ASSIGN_OR_RETURN(type_name_, String());
      return absl::OkStatus();
    }
    if (key == "fortran_order") {
      fortran_order_ = Take("True");
      return fortran_order_ || Take("False") ? absl::OkStatus()
                                             : Malformed("'fortran_order' is neither True nor False");
    }
    if (key == "shape") return Extents();
    return Malformed(absl::StrCat("unknown key '", key.substr(0, 64), "'"));
  }

  absl::Status Extents() {
    if (!Take("(")) return Malformed("'shape' is not a tuple");
    bool comma = true;
    while (!Take(")")) {
      if (!comma) return Malformed("expected ',' or ')' in 'shape'");
      SkipSpace();
      size_t digits = 0;
      while (digits < rest_.size() && absl::ascii_isdigit(rest_[digits])) ++digits;
      int64_t extent;
      if (!absl::SimpleAtoi(rest_.substr(0, digits), &extent)) {
        return Malformed("'shape' holds something that is not a count of 63 bits");
      }
      if (digits < rest_.size() && rest_[digits] == 'L') ++digits;  // a "long" of Python 2
      if (shape_.size() == kMaxNpyDimensions)
        return Malformed(absl::StrCat("more than ", kMaxNpyDimensions, " dimensions"));
      shape_.push_back(extent);
      rest_.remove_prefix(digits);
      comma = Take(",");
    }
    if (shape_.size() == 1 && !comma) return Malformed("'shape' is not a tuple");
    return absl::OkStatus();
  }

  absl::string_view rest_;
  std::string type_name_;
  bool fortran_order_ = false;
  Shape shape_;
};

absl::StatusOr<TypeEntry> ParseTypeName(std::string name) {
  // Bytes have no order, but some writers state one.
  if (absl::EndsWith(name, "1") && (absl::StartsWith(name, "<") || absl::StartsWith(name, ">"))) name[0] = '|';
  for (const TypeEntry& type : kTypes) {
    if (name == type.name) return type;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("npy elements of type '", name.substr(0, 32),
                   "' are not supported; save the array with .astype('<f4') (or '<f2', '|u1')"));
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view file) {
  const auto byte = [&file](size_t i) { return uint64_t{static_cast<uint8_t>(file[i])}; };
  if (!absl::StartsWith(file, kMagic)) return absl::DataLossError("not an npy file: it does not start with \\x93NUMPY");
  if (file.size() < 10) return absl::DataLossError("npy file is cut short in its first fields");
  const uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    return absl::InvalidArgumentError(absl::StrCat("npy version ", version, " is not supported; expected 1 to 3"));
  }
  const size_t start = version == 1 ? 10 : 12;
  if (file.size() < start) return absl::DataLossError("npy file is cut short in its first fields");
  uint64_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kMaxNpyHeaderBytes) {
    return Malformed(absl::StrCat("it would have ", length, " bytes; at most ", kMaxNpyHeaderBytes, " are accepted"));
  }
  if (length > file.size() - start) {
    return absl::DataLossError(absl::StrCat("npy file is cut short: its header should have ", length,
                                            " bytes, but only ", file.size() - start, " follow"));
  }

  DictionaryParser dictionary(file.substr(start, length));
  KWTA_RETURN_IF_ERROR(dictionary.Parse());
  KWTA_ASSIGN_OR_RETURN(const TypeEntry type, ParseTypeName(dictionary.type_name()));
  if (dictionary.fortran_order()) {
    return absl::InvalidArgumentError(
        "npy arrays in Fortran order are not supported; save the array with numpy.ascontiguousarray(array)");
  }
  return NpyHeader{type.name, type.bytes, type.dtype, dictionary.shape(), start + length};
}

absl::StatusOr<std::string> NpyTypeName(DType dtype) {
  for (const TypeEntry& type : kTypes) {
    if (dtype == type.dtype) return std::string(type.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("npy has no elements of type ", DTypeName(dtype), "; convert the array to f32"));
}

std::string FormatNpyHeader(absl::string_view type_name, const Shape& shape) {
  std::string text = absl::StrCat("{'descr': '", type_name, "', 'fortran_order': False, 'shape': (");
  for (int64_t extent : shape) absl::StrAppend(&text, extent, ", ");
  // A tuple of one element keeps its comma.
  if (!shape.empty()) text.resize(text.size() - (shape.size() == 1 ? 1 : 2));
  absl::StrAppend(&text, "), }");
  constexpr size_t kStart = 10;
  text.resize(RoundUp(kStart + text.size() + 1, kAlignment) - kStart - 1, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {1, 0, static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace kwta

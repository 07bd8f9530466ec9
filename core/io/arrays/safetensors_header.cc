#include "core/io/arrays/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/io/arrays/array_bytes.h"
#include "nlohmann/json.hpp"

namespace kwta {
namespace {

constexpr char kMetadata[] = "__metadata__";

struct DTypeEntry {
  const char* name;
  DType dtype;
};
constexpr DTypeEntry kDTypes[] = {{"F32", DType::kF32},   {"U8", DType::kU8},   {"F16", DType::kF16},
                                  {"BF16", DType::kBF16}, {"I32", DType::kI32}, {"I64", DType::kI64}};

const char* NameOf(DType dtype) {
  return std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const DTypeEntry& e) { return e.dtype == dtype; })
      ->name;
}

// Handles the JSON parser's events and stops at anything but the one form of a header. Events, unlike a document, show
// duplicate keys, keep hostile nesting off the heap, and leave nothing to throw.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader TakeHeader() { return std::move(header_); }
  const std::string& error() const { return error_; }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(int64_t) override { return Unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    return Unexpected("a fraction, or a number that is too large");
  }
  bool binary(nlohmann::json::binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(uint64_t value) override {
    if (place_ == Place::kShape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return Fail("has an extent that is too large");
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      offsets_.push_back(value);
      return offsets_.size() <= 2 || Fail("has more than two data_offsets");
    }
    return Unexpected("a number");
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata[key_] = value;
      return true;
    }
    if (place_ != Place::kEntry || key_ != "dtype") return Unexpected("a string");
    for (const DTypeEntry& known : kDTypes) {
      if (value == known.name) {
        entry_.dtype = known.dtype;
        return true;
      }
    }
    return Fail(
        absl::StrCat("has dtype '", value.substr(0, 32), "'; expected one of ",
                     absl::StrJoin(kDTypes, ", ", [](std::string* out, const DTypeEntry& e) { *out += e.name; })));
  }

  bool start_object(size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ != Place::kTop) return Unexpected("an object");
    place_ = name_ == kMetadata ? Place::kMetadata : Place::kEntry;
    keys_.clear();
    entry_ = SafetensorsEntry{};
    entry_.name = name_;
    offsets_.clear();
    return true;
  }

  bool key(std::string& value) override {
    if (place_ == Place::kTop) {
      name_ = value;
      return names_.insert(value).second || Fail("occurs twice");
    }
    key_ = value;
    if (!keys_.insert(value).second) return Fail(absl::StrCat("has '", value.substr(0, 64), "' twice"));
    if (place_ == Place::kEntry && value != "dtype" && value != "shape" && value != "data_offsets") {
      return Fail(absl::StrCat("has an unknown field '", value.substr(0, 64), "'"));
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kEntry) {
      if (keys_.size() != 3) return Fail("lacks one of dtype, shape and data_offsets");
      if (offsets_.size() != 2) return Fail("needs two data_offsets");
      entry_.begin = offsets_[0];
      entry_.end = offsets_[1];
      header_.entries.push_back(std::move(entry_));
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::kEntry || key_ == "dtype") return Unexpected("an array");
    place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }

  bool end_array() override {
    place_ = Place::kEntry;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& exception) override {
    if (error_.empty()) error_ = absl::StrCat("is not JSON at byte ", position, ": ", exception.what());
    return false;
  }

 private:
  enum class Place { kStart, kTop, kEntry, kShape, kOffsets, kMetadata, kEnd };

  bool Fail(absl::string_view what) {
    error_ = absl::StrCat("is malformed: tensor '", name_.substr(0, 200), "' ", what);
    return false;
  }
  bool Unexpected(absl::string_view what) {
    if (place_ == Place::kStart) {
      error_ = absl::StrCat("is malformed: expected an object, found ", what);
      return false;
    }
    return Fail(absl::StrCat("has ", what, place_ == Place::kTop ? "" : absl::StrCat(" in '", key_.substr(0, 64), "'"),
                             " where none is expected"));
  }

  Place place_ = Place::kStart;
  std::string name_;  // Top-level key: a tensor's name or kMetadata.
  std::string key_;   // Key below it.
  std::set<std::string> names_;
  std::set<std::string> keys_;
  SafetensorsEntry entry_;
  std::vector<uint64_t> offsets_;
  SafetensorsHeader header_;
  std::string error_;
};

absl::Status CheckLayout(const std::vector<SafetensorsEntry>& entries, uint64_t data_bytes) {
  uint64_t position = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto fail = [&](absl::string_view what) {
      return absl::DataLossError(
          absl::StrCat("safetensors header is malformed: tensor '", entry.name.substr(0, 200), "' ", what));
    };
    if (entry.end < entry.begin) return fail(absl::StrCat("ends at ", entry.end, " before it begins at ", entry.begin));
    if (entry.begin != position) {
      return fail(absl::StrCat("begins at ", entry.begin, " of the data; expected ", position,
                               " (tensors may neither overlap nor leave gaps)"));
    }
    if (entry.end > data_bytes) {
      return fail(absl::StrCat("ends at ", entry.end, " of the data, which has only ", data_bytes,
                               " bytes: the file is cut short"));
    }
    const std::optional<uint64_t> bytes = ArrayBytes(entry.dtype, entry.shape);
    if (!bytes) return fail("has a shape whose size overflows");
    if (*bytes != entry.end - entry.begin) {
      return fail(absl::StrCat("occupies ", entry.end - entry.begin, " bytes; its shape and dtype need ", *bytes));
    }
    position = entry.end;
  }
  if (position != data_bytes) {
    return absl::DataLossError(
        absl::StrCat("safetensors data has ", data_bytes, " bytes; its tensors need ", position));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, uint64_t data_bytes) {
  HeaderHandler handler;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler)) {
    return absl::DataLossError(absl::StrCat("safetensors header ", handler.error()));
  }
  SafetensorsHeader header = handler.TakeHeader();
  std::sort(header.entries.begin(), header.entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::make_pair(a.begin, a.end) < std::make_pair(b.begin, b.end);
  });
  const absl::Status layout = CheckLayout(header.entries, data_bytes);
  if (!layout.ok()) return layout;
  return header;
}

absl::StatusOr<std::string> FormatSafetensorsHeader(const SafetensorsHeader& header) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) json[kMetadata] = header.metadata;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.name == kMetadata) {
      return absl::InvalidArgumentError(absl::StrCat("a tensor may not be called '", kMetadata, "'"));
    }
    json[entry.name] = {
        {"dtype", NameOf(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  try {
    return json.dump();
  } catch (const nlohmann::json::exception& exception) {
    return absl::InvalidArgumentError(absl::StrCat("names and metadata of tensors must be UTF-8: ", exception.what()));
  }
}

}  // namespace kwta

#include "server/web/rest/rest_json.h"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"

namespace kwta::server {
namespace {

using google::protobuf::FieldDescriptor;
using nlohmann::json;

constexpr size_t kMostValues = 10000;  // besides data
constexpr size_t kMostDepth = 8;
constexpr size_t kDataDepth = 3;  // of the object that has data: the request, its inputs, one input

// Builds the value while it is read, as the library's own reader does.
class RestReader final : public nlohmann::json_sax<json> {
 public:
  RestReader(json* root, std::vector<google::protobuf::RepeatedField<float>>* data) : root_(*root), data_(*data) {}

  const std::string& error() const { return error_; }

  bool null() override { return AddValue(nullptr); }
  bool boolean(bool value) override { return AddValue(value); }
  bool number_integer(number_integer_t value) override { return AddNumber(value); }
  bool number_unsigned(number_unsigned_t value) override { return AddNumber(value); }
  bool number_float(number_float_t value, const string_t&) override { return AddNumber(value); }
  bool string(string_t& value) override { return AddValue(std::move(value)); }
  bool binary(binary_t&) override { return Fail("JSON has no binary values"); }

  bool start_object(std::size_t) override { return Open(json::object()); }
  bool end_object() override { return Shut(); }
  bool start_array(std::size_t) override {
    if (!data_next_ && data_depth_ == 0) return Open(json::array());
    if (data_next_) {
      data_.resize(root_["inputs"].size());
      Place(true);
    }
    data_next_ = false;
    return ++data_depth_ <= kMostDepth || Fail(absl::StrCat("data is nested more than ", kMostDepth, " deep"));
  }
  bool end_array() override {
    if (data_depth_ == 0) return Shut();
    --data_depth_;
    return true;
  }

  bool key(string_t& name) override {
    json& object = *open_.back();
    if (object.contains(name)) return Fail(absl::StrCat("'", ToPrintable(name), "' stands twice in one object"));
    member_ = &object[name];
    const auto inputs = open_.size() == kDataDepth ? root_.find("inputs") : root_.end();
    data_next_ = name == "data" && inputs != root_.end() && open_[1] == &*inputs;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // The library quotes what it read, which may be long and anything.
    const bool syntax = error.id == 101;
    return Fail(absl::StrCat(syntax ? "syntax error" : "a number that is too large", " at byte ", position,
                             "; numbers must be finite"));
  }

 private:
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }

  json* Place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool AddValue(json value) {
    if (data_next_ || data_depth_ > 0) return Fail("data must be an array of numbers");
    if (++values_ > kMostValues) return Fail(absl::StrCat("more than ", kMostValues, " values besides data"));
    Place(std::move(value));
    return true;
  }

  template <typename Number>
  bool AddNumber(Number number) {
    if (data_depth_ == 0) return AddValue(number);
    data_.back().Add(static_cast<float>(number));
    return true;
  }

  bool Open(json container) {
    if (data_next_ || data_depth_ > 0) return Fail("data must be an array of numbers");
    if (++values_ > kMostValues) return Fail(absl::StrCat("more than ", kMostValues, " values besides data"));
    if (open_.size() >= kMostDepth) return Fail(absl::StrCat("values are nested more than ", kMostDepth, " deep"));
    open_.push_back(Place(std::move(container)));
    return true;
  }
  bool Shut() {
    open_.pop_back();
    return true;
  }

  json& root_;
  std::vector<google::protobuf::RepeatedField<float>>& data_;
  std::vector<json*> open_;  // the containers that are being read, the outermost first
  json* member_ = nullptr;   // of open_.back(), whose value comes next
  bool data_next_ = false;   // the value that comes next is that of data
  size_t data_depth_ = 0;    // arrays that are open in data
  size_t values_ = 0;
  std::string error_;
};

nlohmann::ordered_json FieldJson(const google::protobuf::Message& message, const FieldDescriptor& field, int index) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  const auto get = [&](auto one, auto many) {
    return repeated ? (reflection.*many)(message, &field, index) : (reflection.*one)(message, &field);
  };
  using Reflection = google::protobuf::Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return ToUtf8(get(&Reflection::GetString, &Reflection::GetRepeatedString));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToRestJson(repeated ? reflection.GetRepeatedMessage(message, &field, index)
                                 : reflection.GetMessage(message, &field));
  }
  return nullptr;
}

}  // namespace

absl::Status ParseRestJson(absl::string_view text, json* root,
                           std::vector<google::protobuf::RepeatedField<float>>* data) {
  RestReader reader(root, data);
  if (json::sax_parse(text.begin(), text.end(), &reader)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the JSON of the request cannot be read: ", reader.error()));
}

nlohmann::ordered_json ToRestJson(const google::protobuf::Message& message) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) {
      const int size = reflection.FieldSize(message, &field);
      if (field.is_map() && size == 0) continue;
      nlohmann::ordered_json& values = json[field.name()] = nlohmann::ordered_json::array();
      for (int each = 0; each < size; ++each) values.push_back(FieldJson(message, field, each));
    } else if (field.containing_oneof() == nullptr || reflection.HasField(message, &field)) {
      json[field.name()] = FieldJson(message, field, -1);
    }
  }
  return json;
}

}  // namespace kwta::server

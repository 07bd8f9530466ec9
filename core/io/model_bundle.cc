#include "core/io/model_bundle.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/files/sha256.h"
#include "core/io/bundle_files.h"

namespace kwta {
namespace {

constexpr uint64_t kMaxDescriptionBytes = 1 << 20;
constexpr size_t kMaxNameLength = 128;

absl::StatusOr<std::string> ToJson(const v1::ModelDescription& description) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(description, &json, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the model's description has no JSON form: ", status.ToString()));
  }
  return json;
}

// Writes both files into the existing `directory`.
absl::Status WriteFiles(const std::string& directory, const std::string& json, const TensorMap& tensors) {
  KWTA_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(directory, "/", kBundleDescriptionFile), json));
  return WriteSafetensors(absl::StrCat(directory, "/", kBundleTensorFile), tensors, {{"format", "kwta"}});
}

// A missing file, or something else in its place, makes the bundle corrupt.
absl::Status AsPartOfBundle(const absl::Status& status) {
  if (!absl::IsNotFound(status) && !absl::IsInvalidArgument(status)) return status;
  return absl::DataLossError(absl::StrCat("model bundle is incomplete or corrupt: ", status.message()));
}

}  // namespace

absl::Status ParseModelDescription(const std::string& json, v1::ModelDescription* description) {
  const auto status = google::protobuf::util::JsonStringToMessage(json, description);
  // An unknown field might change what the numbers mean, so it is an error.
  if (!status.ok()) {
    return absl::DataLossError(absl::StrCat("is corrupt or was written by a later version: ", status.ToString()));
  }
  if (description->format() != kModelBundleFormat) {
    return absl::DataLossError(absl::StrCat("has format ", description->format(), "; expected ", kModelBundleFormat));
  }
  return ValidateName("its name", description->name());
}

ModelBundle ModelBundle::Clone() const {
  ModelBundle copy;
  copy.description = description;
  for (const auto& [name, tensor] : tensors) copy.tensors[name] = tensor.Clone();
  return copy;
}

absl::Status WriteModelBundle(const std::string& directory, const ModelBundle& bundle) {
  KWTA_RETURN_IF_ERROR(ValidateName("model name", bundle.description.name()));
  v1::ModelDescription description = bundle.description;
  description.set_format(kModelBundleFormat);
  KWTA_ASSIGN_OR_RETURN(const std::string json, ToJson(description));

  // RenameDirectory would refuse too, but only after all the bytes are written.
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(directory, ignored))) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot write a model bundle to '", directory, "': it exists already"));
  }
  KWTA_ASSIGN_OR_RETURN(const std::string temporary, MakeTemporarySibling(directory));
  absl::Status status = WriteFiles(temporary, json, bundle.tensors);
  if (status.ok()) status = RenameDirectory(temporary, directory);
  if (!status.ok()) RemoveAll(temporary).IgnoreError();  // Reports the first error.
  return status;
}

absl::StatusOr<v1::ModelDescription> ReadModelDescription(const std::string& directory) {
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    if (error && error != std::errc::no_such_file_or_directory) return FileError(error.value(), "open", directory);
    return absl::NotFoundError(absl::StrCat("no model bundle at '", directory, "': there is no such directory"));
  }
  const std::string path = absl::StrCat(directory, "/", kBundleDescriptionFile);
  KWTA_RETURN_IF_ERROR(CheckIsNoLink(path));
  const absl::StatusOr<std::string> json = ReadFile(path, kMaxDescriptionBytes);
  if (!json.ok()) return AsPartOfBundle(json.status());
  v1::ModelDescription description;
  const absl::Status parsed = ParseModelDescription(*json, &description);
  if (!parsed.ok()) return absl::DataLossError(absl::StrCat("'", path, "': ", parsed.message()));
  return description;
}

absl::StatusOr<ModelBundle> ReadModelBundle(const std::string& directory, absl::string_view prefix) {
  ModelBundle bundle;
  KWTA_ASSIGN_OR_RETURN(bundle.description, ReadModelDescription(directory));
  const std::string path = absl::StrCat(directory, "/", kBundleTensorFile);
  KWTA_RETURN_IF_ERROR(CheckIsNoLink(path));
  absl::StatusOr<SafetensorsFile> file = ReadSafetensors(path, prefix);
  if (!file.ok()) return AsPartOfBundle(file.status());
  bundle.tensors = std::move(file->tensors);
  return bundle;
}

absl::StatusOr<std::string> HashOfModelBundle(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kBundleTensorFile);
  KWTA_RETURN_IF_ERROR(CheckIsNoLink(path));
  return Sha256OfFile(path);
}

absl::Status ValidateName(absl::string_view what, absl::string_view name) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; };
  bool valid = !name.empty() && name.size() <= kMaxNameLength && absl::ascii_isalnum(name.front());
  for (char c : name) valid = valid && allowed(c);
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " '", absl::CHexEscape(name.substr(0, kMaxNameLength)), "' is not valid; expected 1 to ",
                   kMaxNameLength, " letters, digits, '-', '_' and '.', starting with a letter or digit"));
}

}  // namespace kwta

#include "core/io/token_file.h"

#include <cerrno>
#include <cmath>
#include <random>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/directory_lock.h"
#include "core/files/files.h"
#include "core/files/sha256.h"
#include "core/io/model_bundle.h"
#include "nlohmann/json.hpp"

namespace kwta {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHashBytes = 32;
constexpr char kTokenPrefix[] = "kwta_";

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("the token file: ", what));
}

absl::StatusOr<double> Rate(const Json& json, const std::string& who, const char* key) {
  if (!json.contains(key)) return 0.0;
  const Json& value = json[key];
  if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0) {
    return Wrong(absl::StrCat(key, " of '", who, "' is ", value.dump(), ", expected a number above 0"));
  }
  return value.get<double>();
}

absl::StatusOr<TokenEntry> ParseEntry(const Json& json) {
  static const std::set<std::string> kKeys = {"name",    "sha256",           "scopes",
                                              "expires", "calls_per_second", "rows_per_second"};
  if (!json.is_object()) return Wrong(absl::StrCat(json.dump(), " is no object"));
  for (const auto& [key, value] : json.items()) {
    if (kKeys.count(key) == 0) return Wrong(absl::StrCat("unknown key '", key, "'"));
  }
  TokenEntry entry;
  if (!json.contains("name") || !json["name"].is_string()) return Wrong(absl::StrCat("no name in ", json.dump()));
  entry.name = json["name"].get<std::string>();
  KWTA_RETURN_IF_ERROR(ValidateName("name in the token file", entry.name));
  if (json.contains("sha256") && json["sha256"].is_string()) {
    const std::string hex = json["sha256"].get<std::string>();
    if (hex.size() == 2 * kHashBytes && hex.find_first_not_of("0123456789abcdef") == std::string::npos) {
      entry.sha256 = absl::HexStringToBytes(hex);
    }
  }
  if (entry.sha256.empty()) return Wrong(absl::StrCat("sha256 of '", entry.name, "' is not 64 digits of 0-9a-f"));
  if (!json.contains("scopes") || !json["scopes"].is_array() || json["scopes"].empty()) {
    return Wrong(absl::StrCat("'", entry.name, "' has no list of scopes"));
  }
  for (const Json& scope : json["scopes"]) {
    KWTA_ASSIGN_OR_RETURN(entry.scopes.emplace_back(), ParseScope(scope.is_string() ? scope.get<std::string>() : ""));
  }
  if (json.contains("expires")) {
    std::string error;
    const std::string text = json["expires"].is_string() ? json["expires"].get<std::string>() : "";
    if (!absl::ParseTime(absl::RFC3339_sec, text, &entry.expires, &error)) {
      return Wrong(absl::StrCat("expires of '", entry.name, "' is ", json["expires"].dump(),
                                ", expected a time such as 2030-01-31T00:00:00Z"));
    }
  }
  KWTA_ASSIGN_OR_RETURN(entry.calls_per_second, Rate(json, entry.name, "calls_per_second"));
  KWTA_ASSIGN_OR_RETURN(entry.rows_per_second, Rate(json, entry.name, "rows_per_second"));
  return entry;
}

}  // namespace

absl::string_view ScopeName(Scope scope) {
  return scope == Scope::kEncode ? "encode" : scope == Scope::kTrain ? "train" : "admin";
}

absl::StatusOr<Scope> ParseScope(absl::string_view name) {
  for (const Scope scope : {Scope::kEncode, Scope::kTrain, Scope::kAdmin}) {
    if (ScopeName(scope) == name) return scope;
  }
  return absl::InvalidArgumentError(absl::StrCat("scope '", name, "' is none of encode, train and admin"));
}

absl::StatusOr<std::vector<TokenEntry>> ReadTokenFile(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenFileBytes));
  return ParseTokenFile(path, text);
}

absl::StatusOr<std::vector<TokenEntry>> ParseTokenFile(const std::string& path, const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("tokens") || !json["tokens"].is_array()) {
    return Wrong(absl::StrCat("'", path, "' is not {\"tokens\": [...]}; 'kwta token' writes one"));
  }
  std::vector<TokenEntry> entries;
  std::set<std::string> names;
  for (const Json& each : json["tokens"]) {
    KWTA_ASSIGN_OR_RETURN(TokenEntry entry, ParseEntry(each));
    if (!names.insert(entry.name).second) return Wrong(absl::StrCat("'", entry.name, "' comes twice"));
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::Status WriteTokenFile(const std::string& path, const std::vector<TokenEntry>& entries) {
  Json tokens = Json::array();
  for (const TokenEntry& entry : entries) {
    Json json = {{"name", entry.name}, {"sha256", absl::BytesToHexString(entry.sha256)}, {"scopes", Json::array()}};
    for (const Scope scope : entry.scopes) json["scopes"].push_back(std::string(ScopeName(scope)));
    if (entry.expires != absl::InfiniteFuture()) {
      json["expires"] = absl::FormatTime(absl::RFC3339_sec, entry.expires, absl::UTCTimeZone());
    }
    if (entry.calls_per_second > 0) json["calls_per_second"] = entry.calls_per_second;
    if (entry.rows_per_second > 0) json["rows_per_second"] = entry.rows_per_second;
    tokens.push_back(std::move(json));
  }
  constexpr uint32_t kOwnerOnly = 0600;
  return WriteFileAtomically(path, Json{{"tokens", std::move(tokens)}}.dump(2) + "\n", kOwnerOnly);
}

absl::Status ChangeTokenFile(const std::string& path,
                             const std::function<absl::Status(std::vector<TokenEntry>*)>& change) {
  // The file cannot be the lock, because it is replaced.
  KWTA_ASSIGN_OR_RETURN(const std::string file, FollowLinks(path));
  KWTA_ASSIGN_OR_RETURN(const DirectoryLock lock, DirectoryLock::Around(file));
  absl::StatusOr<std::vector<TokenEntry>> entries = ReadTokenFile(file);
  if (absl::IsNotFound(entries.status())) entries.emplace();
  KWTA_RETURN_IF_ERROR(entries.status());
  KWTA_RETURN_IF_ERROR(change(&*entries));
  return WriteTokenFile(file, *entries);
}

std::string NewToken() {
  std::random_device random;
  std::string bits;
  for (size_t i = 0; i < kHashBytes; ++i) bits.push_back(static_cast<char>(random()));
  return absl::StrCat(kTokenPrefix, absl::BytesToHexString(bits));
}

std::string HashOfToken(absl::string_view token) {
  Sha256 hash;
  hash.Add(token);
  return hash.Finish();
}

}  // namespace kwta

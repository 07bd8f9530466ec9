// The file of bearer tokens: who may call a server, and how. docs/security.md describes it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kwta {

// What a token permits. No scope implies another.
enum class Scope { kEncode, kTrain, kAdmin };

// One caller. Keeps only the token's hash.
struct TokenEntry {
  std::string name;    // of the caller: the form of a model's name
  std::string sha256;  // of the token, 32 bytes
  std::vector<Scope> scopes;
  absl::Time expires = absl::InfiniteFuture();
  double calls_per_second = 0;  // 0: no limit; messages of a stream count as calls
  double rows_per_second = 0;   // 0: no limit
};

// Returns "encode", "train" or "admin"; the second function parses these. Errors: INVALID_ARGUMENT.
absl::string_view ScopeName(Scope scope);
absl::StatusOr<Scope> ParseScope(absl::string_view name);

// Errors: NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE, and INVALID_ARGUMENT (wrong form, a name that occurs twice).
absl::StatusOr<std::vector<TokenEntry>> ReadTokenFile(const std::string& path);
// Parses the text of a file. Messages name `path`. A file has no more bytes than the limit.
inline constexpr uint64_t kMaxTokenFileBytes = 16 << 20;
absl::StatusOr<std::vector<TokenEntry>> ParseTokenFile(const std::string& path, const std::string& text);
// Writes the file so that a reader sees all or nothing. A new file is private to its owner. Errors: those of
// WriteFileAtomically.
absl::Status WriteTokenFile(const std::string& path, const std::vector<TokenEntry>& entries);
// Reads, changes and writes the file, and excludes other processes that use this function. A missing file has no
// entries. If `change` fails, writes nothing. Errors: those of `change`, of reading, and of writing.
absl::Status ChangeTokenFile(const std::string& path,
                             const std::function<absl::Status(std::vector<TokenEntry>*)>& change);

// Returns a new token: 256 random bits, as letters and digits for a header or a file.
std::string NewToken();
// Returns 32 bytes. Tokens are random, so one hash is enough to make them useless to a reader of the file.
std::string HashOfToken(absl::string_view token);

}  // namespace kwta

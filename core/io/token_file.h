// The file of bearer tokens: who may call a server, and what. docs/security.md describes it.
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

// What a token may be used for; each stands for itself.
enum class Scope { kEncode, kTrain, kAdmin };

// One caller. The token itself is not kept, only its hash.
struct TokenEntry {
  std::string name;    // of the caller: the form of a model's name
  std::string sha256;  // of the token, 32 bytes
  std::vector<Scope> scopes;
  absl::Time expires = absl::InfiniteFuture();
  double calls_per_second = 0;  // 0: any; messages of a stream count as calls
  double rows_per_second = 0;   // 0: any
};

// "encode", "train", "admin". Errors of the latter: INVALID_ARGUMENT.
absl::string_view ScopeName(Scope scope);
absl::StatusOr<Scope> ParseScope(absl::string_view name);

// Errors: NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE, and INVALID_ARGUMENT (not of the form, a name that comes twice).
absl::StatusOr<std::vector<TokenEntry>> ReadTokenFile(const std::string& path);
// The same of the text of a file; `path` is for words. A file has no more bytes than that.
inline constexpr uint64_t kMaxTokenFileBytes = 16 << 20;
absl::StatusOr<std::vector<TokenEntry>> ParseTokenFile(const std::string& path, const std::string& text);
// So that a reader sees all or nothing; a file that is not there yet is for its owner only. Errors: those of
// WriteFileAtomically.
absl::Status WriteTokenFile(const std::string& path, const std::vector<TokenEntry>& entries);
// Reads, changes and writes the file while no other process does so with this function; a file that is not there has no
// entries. Nothing is written if `change` fails. Errors: those of `change`, of reading, and of writing.
absl::Status ChangeTokenFile(const std::string& path,
                             const std::function<absl::Status(std::vector<TokenEntry>*)>& change);

// A new token: 256 random bits. Letters and digits, for a header or a file.
std::string NewToken();
// 32 bytes. A token is random, so that one hash is enough to make it useless to who reads the file.
std::string HashOfToken(absl::string_view token);

}  // namespace kwta

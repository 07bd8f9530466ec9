// SHA-256.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"

struct evp_md_ctx_st;

namespace kwta {

// Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Add(absl::string_view bytes);
  // Returns the 32 bytes of the hash. Call it once.
  std::string Finish();

 private:
  evp_md_ctx_st* const context_;
};

// Returns the hash of a file. Errors: those of InputFile.
absl::StatusOr<std::string> Sha256OfFile(const InputFile& file);
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace kwta

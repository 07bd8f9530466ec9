#include "core/files/sha256.h"

#include <openssl/evp.h>

#include <algorithm>

#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr uint64_t kPieceBytes = 1 << 16;

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::Add(absl::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }

std::string Sha256::Finish() {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_, hash, &size);
  return std::string(reinterpret_cast<const char*>(hash), size);
}

absl::StatusOr<std::string> Sha256OfFile(const InputFile& file) {
  Sha256 hash;
  std::string piece;
  for (uint64_t done = 0; done < file.size(); done += piece.size()) {
    piece.resize(std::min(kPieceBytes, file.size() - done));
    KWTA_RETURN_IF_ERROR(file.ReadAt(done, piece.data(), piece.size()));
    hash.Add(piece);
  }
  KWTA_RETURN_IF_ERROR(file.CheckUnchanged());
  return hash.Finish();
}

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  return Sha256OfFile(file);
}

}  // namespace kwta

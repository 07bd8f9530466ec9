// UploadDataset: a checksum, then the file in pieces.
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

constexpr int64_t kPieceBytes = int64_t{1} << 20;

absl::StatusOr<std::ifstream> Open(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code ignored;
  if (stream && std::filesystem::is_regular_file(file, ignored)) return stream;
  const int error = errno;
  if (error == EACCES) return absl::PermissionDeniedError(absl::StrCat("cannot read '", file, "'"));
  return absl::NotFoundError(absl::StrCat("'", file, "' is no file"));
}

// Calls take(data, bytes) for consecutive pieces of the file until it returns false.
template <typename Take>
absl::Status ReadInPieces(std::ifstream& stream, const std::string& file, int64_t piece_bytes, const Take& take) {
  std::string piece;
  do {
    piece.resize(piece_bytes);
    stream.read(piece.data(), piece_bytes);
    piece.resize(stream.gcount());
    if (stream.bad()) return absl::DataLossError(absl::StrCat("cannot read '", file, "': ", std::strerror(errno)));
    if (!piece.empty() && !take(piece)) return absl::OkStatus();
  } while (stream);
  return absl::OkStatus();
}

absl::StatusOr<v1::UploadDatasetHeader> Describe(const std::string& file) {
  KWTA_ASSIGN_OR_RETURN(std::ifstream stream, Open(file));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool digested = digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  uint64_t bytes = 0;
  KWTA_RETURN_IF_ERROR(ReadInPieces(stream, file, kPieceBytes, [&](const std::string& piece) {
    digested = digested && EVP_DigestUpdate(digest.get(), piece.data(), piece.size()) == 1;
    bytes += piece.size();
    return true;
  }));
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (!digested || EVP_DigestFinal_ex(digest.get(), sum, &length) != 1) {
    return absl::InternalError("the SHA-256 of OpenSSL failed");
  }
  v1::UploadDatasetHeader header;
  header.set_path(std::filesystem::path(file).filename().string());
  header.set_bytes(bytes);
  header.set_sha256(sum, length);
  return header;
}

}  // namespace

absl::StatusOr<v1::UploadDatasetResponse> Client::UploadDataset(const std::string& file, const CallOptions& call) {
  KWTA_ASSIGN_OR_RETURN(const v1::UploadDatasetHeader header, Describe(file));
  const absl::Time deadline = connection_->Deadline(call);
  const int64_t piece_bytes = std::clamp<int64_t>(options().max_message_bytes / 2, 1, kPieceBytes);
  v1::UploadDatasetResponse response;
  const absl::Status status = RetryUnavailable(options().retry, deadline, Clock(), [&]() -> absl::Status {
    KWTA_ASSIGN_OR_RETURN(std::ifstream stream, Open(file));
    grpc::ClientContext context;
    Connection::SetDeadline(deadline, &context);
    auto writer = connection_->stub().UploadDataset(&context, &response);
    v1::UploadDatasetRequest request;
    *request.mutable_header() = header;
    bool open = writer->Write(request);
    const absl::Status read = ReadInPieces(stream, file, piece_bytes, [&](const std::string& piece) {
      request.set_chunk(piece);
      return open = open && writer->Write(request);
    });
    if (!read.ok()) context.TryCancel();
    if (open) writer->WritesDone();
    const absl::Status sent = FromGrpc(writer->Finish());
    return read.ok() ? sent : read;
  });
  if (!status.ok()) return status;
  return response;
}

}  // namespace kwta::client

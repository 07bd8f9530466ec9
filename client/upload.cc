// UploadDataset: a checksum, then the file in pieces.
#include <algorithm>
#include <filesystem>
#include <string>

#include "client/client.h"
#include "client/connection.h"
#include "core/base/status_macros.h"
#include "core/files/sha256.h"

namespace kwta::client {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

absl::StatusOr<v1::UploadDatasetHeader> Describe(const InputFile& file) {
  v1::UploadDatasetHeader header;
  header.set_path(std::filesystem::path(file.path()).filename().string());
  header.set_bytes(file.size());
  KWTA_ASSIGN_OR_RETURN(*header.mutable_sha256(), Sha256OfFile(file));
  return header;
}

using OnProgress = std::function<void(uint64_t sent, uint64_t of)>;

// Sends the bytes of `file` until the server wants no more. Errors: those of reading the file.
absl::Status SendPieces(const InputFile& file, uint64_t piece_bytes, const OnProgress& on_progress,
                        grpc::ClientWriter<v1::UploadDatasetRequest>* writer) {
  v1::UploadDatasetRequest request;
  for (uint64_t sent = 0; sent < file.size(); sent += request.chunk().size()) {
    std::string* piece = request.mutable_chunk();
    piece->resize(std::min(piece_bytes, file.size() - sent));
    KWTA_RETURN_IF_ERROR(file.ReadAt(sent, piece->data(), piece->size()));
    if (!writer->Write(request)) return absl::OkStatus();
    if (on_progress) on_progress(sent + piece->size(), file.size());
  }
  writer->WritesDone();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::UploadDatasetResponse> Client::UploadDataset(const std::string& path, const CallOptions& call,
                                                                const OnProgress& on_progress) {
  KWTA_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  v1::UploadDatasetRequest header;
  KWTA_ASSIGN_OR_RETURN(*header.mutable_header(), Describe(file));
  KWTA_RETURN_IF_ERROR(CheckText(header));
  const absl::Time deadline = connection_->Deadline(call);
  const auto piece_bytes = std::clamp<uint64_t>(static_cast<uint64_t>(options().max_message_bytes) / 2, 1, kPieceBytes);
  v1::UploadDatasetResponse response;
  const absl::Status status = RetryUnavailable(options().retry, deadline, Clock(), [&]() -> absl::Status {
    grpc::ClientContext context;
    Connection::SetDeadline(deadline, &context);
    const auto writer = connection_->stub().UploadDataset(&context, &response);
    const absl::Status read =
        writer->Write(header) ? SendPieces(file, piece_bytes, on_progress, writer.get()) : absl::OkStatus();
    if (!read.ok()) context.TryCancel();
    const absl::Status sent = FromGrpc(writer->Finish());
    return read.ok() ? sent : read;
  });
  if (!status.ok()) return status;
  return response;
}

}  // namespace kwta::client

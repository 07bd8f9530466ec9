#include "server/services/dataset_upload.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

constexpr char kTemporaryPrefix[] = ".upload-";
constexpr size_t kSha256Bytes = 32;

absl::Status UploadFailed(const std::string& what) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(errno));
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::Status OtherContent(absl::string_view path) {
  return absl::AlreadyExistsError(
      absl::StrCat("a data set '", path, "' with other content was uploaded before; choose another path"));
}

absl::Status CheckHeader(const v1::UploadDatasetHeader& header, int64_t max_bytes) {
  KWTA_RETURN_IF_ERROR(ValidateName("header.path", header.path()));
  const std::string& path = header.path();
  if (!HasDatasetFileEnding(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("header.path is '", path, "', expected a name ending in ", kDatasetFileEndings));
  }
  if (header.sha256().size() != kSha256Bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("header.sha256 has ", header.sha256().size(), " bytes, expected the 32 bytes of a SHA-256"));
  }
  if (header.bytes() == 0) return absl::InvalidArgumentError("header.bytes is 0, expected the length of the file");
  if (header.bytes() > static_cast<uint64_t>(max_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("header.bytes is ", header.bytes(), ", more than the limit of ",
                                                     max_bytes, " (--max-upload-bytes)"));
  }
  return absl::OkStatus();
}

}  // namespace

DatasetUpload::DatasetUpload(const v1::UploadDatasetHeader& header, std::string directory)
    : header_(header), directory_(std::move(directory)) {}

absl::StatusOr<std::unique_ptr<DatasetUpload>> DatasetUpload::Begin(const v1::UploadDatasetHeader& header,
                                                                    const std::string& directory, int64_t max_bytes) {
  KWTA_RETURN_IF_ERROR(CheckHeader(header, max_bytes));
  std::unique_ptr<DatasetUpload> upload(new DatasetUpload(header, directory));
  // Report this before the client sends the bytes rather than after.
  const absl::StatusOr<std::string> present = Sha256OfFile(upload->FinalFile());
  if (present.ok() && *present != header.sha256()) return OtherContent(header.path());
  if (!present.ok() && !absl::IsNotFound(present.status())) return present.status();

  KWTA_ASSIGN_OR_RETURN(upload->temporary_, MakeTemporary(directory));
  upload->file_ = ::open(upload->TemporaryFile().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (upload->file_ < 0) return UploadFailed(absl::StrCat("cannot make '", upload->TemporaryFile(), "'"));
  return upload;
}

DatasetUpload::~DatasetUpload() {
  if (file_ >= 0) ::close(file_);
  if (temporary_.empty()) return;
  std::error_code error;
  fs::remove_all(temporary_, error);
}

absl::Status DatasetUpload::Append(absl::string_view bytes) {
  if (bytes.size() > header_.bytes() - received_) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than the ", header_.bytes(), " bytes of header.bytes were sent"));
  }
  hash_.Add(bytes);
  received_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return UploadFailed(absl::StrCat("cannot write '", TemporaryFile(), "'"));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::UploadDatasetResponse> DatasetUpload::Finish() {
  if (received_ != header_.bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the upload ended after ", received_, " bytes, header.bytes announced ", header_.bytes()));
  }
  if (hash_.Finish() != header_.sha256()) {
    return absl::DataLossError("the SHA-256 of the bytes received differs from header.sha256; send the file again");
  }
  if (::fsync(file_) != 0) return UploadFailed(absl::StrCat("cannot sync '", TemporaryFile(), "'"));
  v1::DatasetRef reference;
  reference.set_path(header_.path());
  v1::UploadDatasetResponse response;
  if (const absl::StatusOr<Dataset> dataset = LoadDataset(reference, DatasetOptions{{temporary_}}); dataset.ok()) {
    response.set_rows(static_cast<uint64_t>(dataset->rows()));
    response.set_width(static_cast<uint64_t>(dataset->width()));
  } else {
    // The caller does not know the temporary directory.
    return absl::Status(dataset.status().code(),
                        absl::StrReplaceAll(dataset.status().message(), {{temporary_ + "/", ""}}));
  }
  response.set_path(header_.path());
  // Unlike a rename, a link never replaces a file that somebody else created in the meantime.
  if (::link(TemporaryFile().c_str(), FinalFile().c_str()) == 0) return response;
  if (errno != EEXIST) return UploadFailed(absl::StrCat("cannot make '", FinalFile(), "'"));
  KWTA_ASSIGN_OR_RETURN(const std::string present, Sha256OfFile(FinalFile()));
  if (present != header_.sha256()) return OtherContent(header_.path());
  return response;
}

absl::StatusOr<std::string> DatasetUpload::MakeTemporary(const std::string& directory) {
  std::string temporary = absl::StrCat(directory, "/", kTemporaryPrefix, "XXXXXX");
  if (::mkdtemp(temporary.data()) == nullptr) return UploadFailed(absl::StrCat("cannot make '", temporary, "'"));
  return temporary;
}

std::vector<std::string> DatasetUpload::Clean(const std::string& directory) {
  std::vector<std::string> removed;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    if (!absl::StartsWith(entry->path().filename().string(), kTemporaryPrefix)) continue;
    if (RemoveAll(path).ok()) removed.push_back(path);
  }
  return removed;
}

}  // namespace kwta::server

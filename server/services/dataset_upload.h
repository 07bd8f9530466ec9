// Receives an uploaded data set and checks it completely before anybody can see it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/sha256.h"
#include "kwta/v1/service.pb.h"

namespace kwta::server {

// One upload: Begin, Append for each piece, Finish. Whatever happens, it leaves nothing but a complete, valid file. Not
// thread-safe. Several uploads may run at once, even of the same name.
class DatasetUpload {
 public:
  // Errors: INVALID_ARGUMENT (name, length or checksum malformed), RESOURCE_EXHAUSTED (larger than max_bytes),
  // ALREADY_EXISTS (other content under that name), UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<DatasetUpload>> Begin(const v1::UploadDatasetHeader& header,
                                                              const std::string& directory, int64_t max_bytes);
  // Removes an unfinished upload.
  ~DatasetUpload();
  DatasetUpload(const DatasetUpload&) = delete;
  DatasetUpload& operator=(const DatasetUpload&) = delete;

  // Errors: INVALID_ARGUMENT (more bytes than announced), RESOURCE_EXHAUSTED (disk full), UNAVAILABLE.
  absl::Status Append(absl::string_view bytes);

  // Checks length, checksum and content, and moves the file to its name.
  // Errors: INVALID_ARGUMENT (too few bytes, or not a data set), DATA_LOSS (checksum differs; corrupt file),
  // ALREADY_EXISTS.
  absl::StatusOr<v1::UploadDatasetResponse> Finish();

  // Makes an empty directory in `directory`, which nobody sees as a data set. Errors: RESOURCE_EXHAUSTED, UNAVAILABLE.
  static absl::StatusOr<std::string> MakeTemporary(const std::string& directory);
  // Removes what such directories left in `directory` when the server died.
  static std::vector<std::string> Clean(const std::string& directory);

 private:
  DatasetUpload(const v1::UploadDatasetHeader& header, std::string directory);
  std::string TemporaryFile() const { return temporary_ + "/" + header_.path(); }
  std::string FinalFile() const { return directory_ + "/" + header_.path(); }

  const v1::UploadDatasetHeader header_;
  const std::string directory_;
  std::string temporary_;  // its own directory, so that the file is checked under its own name
  int file_ = -1;
  uint64_t received_ = 0;
  Sha256 hash_;
};

}  // namespace kwta::server

#include "server/models/model_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/model_bundle.h"
#include "server/models/model_labels.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

constexpr char kLabelsFile[] = "labels.json";
constexpr uint64_t kMaxLabelsBytes = 1 << 20;
constexpr int kInstallAttempts = 16;

absl::Status DirectoryFailed(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// Makes renames and files below `path` survive a crash of the machine.
absl::Status Sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return DirectoryFailed(absl::StrCat("cannot open '", path, "'"), errno);
  const int result = ::fsync(file);
  const int error = errno;
  ::close(file);
  if (result != 0) return DirectoryFailed(absl::StrCat("cannot sync '", path, "'"), error);
  return absl::OkStatus();
}

// Gives the bundle at `source` the name `target`, through a copy beside it if they are on different file systems.
// ALREADY_EXISTS if there is something at `target`.
absl::Status MoveInto(const std::string& source, const std::string& target) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error))) {
    return absl::AlreadyExistsError(absl::StrCat("'", target, "' exists already"));
  }
  const auto device = [](const fs::path& path) {
    struct stat stat = {};
    return ::stat(path.c_str(), &stat) == 0 ? stat.st_dev : dev_t{0};
  };
  if (device(source) == device(fs::path(target).parent_path())) return RenameDirectory(source, target);
  KWTA_ASSIGN_OR_RETURN(const std::string temporary, MakeTemporarySibling(target));
  fs::copy(source, temporary, fs::copy_options::overwrite_existing, error);
  absl::Status status =
      error ? DirectoryFailed(absl::StrCat("cannot copy '", source, "'"), error.value()) : absl::OkStatus();
  for (fs::directory_iterator file(temporary, error), end; status.ok() && !error && file != end;
       file.increment(error)) {
    status = Sync(file->path().string());
  }
  if (status.ok()) status = RenameDirectory(temporary, target);
  RemoveAll(status.ok() ? source : temporary).IgnoreError();  // the copy is what counts
  return status;
}

}  // namespace

absl::StatusOr<std::vector<ModelDirectory::Entry>> ModelDirectory::Scan() const {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator model(directory_, error), end; !error && model != end; model.increment(error)) {
    Entry entry{model->path().filename().string(), {}};
    std::error_code inner;
    if (!ValidateName("model", entry.name).ok() || !model->is_directory(inner)) continue;
    for (fs::directory_iterator bundle(model->path(), inner); !inner && bundle != end; bundle.increment(inner)) {
      uint64_t version = 0;
      if (absl::SimpleAtoi(bundle->path().filename().string(), &version) && version > 0) {
        entry.versions.push_back(version);
      }
    }
    if (inner) return DirectoryFailed(absl::StrCat("cannot list '", model->path().string(), "'"), inner.value());
    std::sort(entry.versions.begin(), entry.versions.end());
    entries.push_back(std::move(entry));
  }
  if (error) return DirectoryFailed(absl::StrCat("cannot list '", directory_, "'"), error.value());
  return entries;
}

std::string ModelDirectory::BundlePath(const std::string& name, uint64_t version) const {
  return absl::StrCat(directory_, "/", name, "/", version);
}

absl::StatusOr<uint64_t> ModelDirectory::NextVersion(const std::string& name) const {
  uint64_t last = 0;
  const std::string path = absl::StrCat(directory_, "/", name, "/last_version");
  if (std::ifstream file(path); file) {
    std::string text;
    file >> text;
    if (!absl::SimpleAtoi(text, &last)) {
      return absl::DataLossError(absl::StrCat("'", path, "' holds '", text,
                                              "', not a version number; write the highest ",
                                              "version ever published into it"));
    }
  }
  // Bundles that were copied in by hand count too.
  KWTA_ASSIGN_OR_RETURN(const std::vector<Entry> entries, Scan());
  for (const Entry& entry : entries) {
    if (entry.name == name && !entry.versions.empty()) last = std::max(last, entry.versions.back());
  }
  return last + 1;
}

absl::Status ModelDirectory::RecordVersion(const std::string& name, uint64_t version) {
  return WriteFileAtomically(absl::StrCat(directory_, "/", name, "/last_version"), absl::StrCat(version, "\n"));
}

absl::StatusOr<uint64_t> ModelDirectory::Install(const std::string& source, const std::string& name) {
  const std::string model = absl::StrCat(directory_, "/", name);
  std::error_code error;
  fs::create_directories(model, error);
  if (error) return DirectoryFailed(absl::StrCat("cannot make '", model, "'"), error.value());
  // Another server may take the same number at the same time: only one of them gets the name.
  absl::Status status;
  for (int attempt = 0; attempt < kInstallAttempts; ++attempt) {
    KWTA_ASSIGN_OR_RETURN(const uint64_t version, NextVersion(name));
    KWTA_RETURN_IF_ERROR(RecordVersion(name, version));
    status = MoveInto(source, BundlePath(name, version));
    if (status.ok()) {
      KWTA_RETURN_IF_ERROR(Sync(directory_));
      return version;
    }
    if (!absl::IsAlreadyExists(status)) return status;
  }
  return status;
}

std::string ModelDirectory::Fingerprint(const std::string& bundle) {
  std::string fingerprint;
  for (const char* file : {"model.json", "model.safetensors"}) {
    struct stat stat = {};
    if (::stat(absl::StrCat(bundle, "/", file).c_str(), &stat) != 0) return "";
    absl::StrAppend(&fingerprint, stat.st_ino, ":", stat.st_size, ":", stat.st_mtim.tv_sec, ".", stat.st_mtim.tv_nsec,
                    ":", stat.st_ctim.tv_sec, ".", stat.st_ctim.tv_nsec, " ");
  }
  return fingerprint;
}

absl::StatusOr<ModelLabels> ModelDirectory::ReadLabels(const std::string& name) const {
  const std::string path = absl::StrCat(directory_, "/", name, "/", kLabelsFile);
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxLabelsBytes);
  if (absl::IsNotFound(text.status())) return ModelLabels();
  KWTA_RETURN_IF_ERROR(text.status());
  absl::StatusOr<ModelLabels> labels = ParseModelLabels(*text);
  if (labels.ok()) return labels;
  return absl::DataLossError(absl::StrCat("'", path, "': ", labels.status().message()));
}

absl::Status ModelDirectory::WriteLabels(const std::string& name, const ModelLabels& labels) {
  return WriteFileAtomically(absl::StrCat(directory_, "/", name, "/", kLabelsFile), FormatModelLabels(labels));
}

absl::Status ModelDirectory::Remove(const std::string& name, uint64_t version) {
  // The number must outlive the bundle, also one that was copied in by hand.
  KWTA_ASSIGN_OR_RETURN(const uint64_t next, NextVersion(name));
  KWTA_RETURN_IF_ERROR(RecordVersion(name, next - 1));
  // Renamed first, so that a crash in the middle leaves nothing that looks like a bundle.
  const std::string path = BundlePath(name, version);
  const std::string doomed = path + ".deleted";
  std::error_code error;
  fs::remove_all(doomed, error);
  if (::rename(path.c_str(), doomed.c_str()) != 0)
    return DirectoryFailed(absl::StrCat("cannot delete '", path, "'"), errno);
  fs::remove_all(doomed, error);
  if (error) return DirectoryFailed(absl::StrCat("cannot delete '", doomed, "'"), error.value());
  return absl::OkStatus();
}

}  // namespace kwta::server

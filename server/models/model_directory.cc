#include "server/models/model_directory.h"

#include <fcntl.h>
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
#include "core/io/model_bundle.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// Makes renames and files below `path` survive a crash of the machine.
absl::Status Sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Failed(absl::StrCat("cannot open '", path, "'"), errno);
  const int result = ::fsync(file);
  const int error = errno;
  ::close(file);
  if (result != 0) return Failed(absl::StrCat("cannot sync '", path, "'"), error);
  return absl::OkStatus();
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
    if (inner) return Failed(absl::StrCat("cannot list '", model->path().string(), "'"), inner.value());
    std::sort(entry.versions.begin(), entry.versions.end());
    entries.push_back(std::move(entry));
  }
  if (error) return Failed(absl::StrCat("cannot list '", directory_, "'"), error.value());
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
  const std::string path = absl::StrCat(directory_, "/", name, "/last_version");
  const std::string temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << version << "\n";
    if (!file.flush()) return Failed(absl::StrCat("cannot write '", temporary, "'"), errno);
  }
  KWTA_RETURN_IF_ERROR(Sync(temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Failed(absl::StrCat("cannot write '", path, "'"), errno);
  return absl::OkStatus();
}

absl::Status ModelDirectory::Install(const std::string& source, const std::string& name, uint64_t version) {
  const std::string model = absl::StrCat(directory_, "/", name);
  std::error_code error;
  fs::create_directories(model, error);
  if (error) return Failed(absl::StrCat("cannot make '", model, "'"), error.value());
  KWTA_RETURN_IF_ERROR(RecordVersion(name, version));
  const std::string target = BundlePath(name, version);
  if (::rename(source.c_str(), target.c_str()) != 0) {
    return Failed(absl::StrCat("cannot move '", source, "' to '", target, "'"), errno);
  }
  KWTA_RETURN_IF_ERROR(Sync(model));
  return Sync(directory_);
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
  if (::rename(path.c_str(), doomed.c_str()) != 0) return Failed(absl::StrCat("cannot delete '", path, "'"), errno);
  fs::remove_all(doomed, error);
  if (error) return Failed(absl::StrCat("cannot delete '", doomed, "'"), error.value());
  return absl::OkStatus();
}

}  // namespace kwta::server

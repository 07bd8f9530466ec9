#include "server/models/model_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/files/files.h"
#include "core/io/model_bundle.h"
#include "server/models/model_labels.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

constexpr char kLabelsFile[] = "labels.json";
constexpr uint64_t kMaxLabelsBytes = 1 << 20;
constexpr uint64_t kMaxVersionBytes = 4096;
constexpr int kInstallAttempts = 16;

absl::Status DirectoryFailed(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// Marks the names of temporary directories.
constexpr char kTemporaryMark[] = ".tmp-";
constexpr char kDeletedMark[] = ".deleted";
constexpr char kOfFileSystem[] = "lost+found";  // of one that is mounted there

bool IsPassing(absl::string_view name) { return absl::StartsWith(name, ".") || absl::EndsWith(name, kDeletedMark); }
bool IsDebris(absl::string_view name) {
  return absl::EndsWith(name, kDeletedMark) || (absl::StartsWith(name, ".") && absl::StrContains(name, kTemporaryMark));
}

// Returns nullopt unless `text` is a version in its written form.
std::optional<uint64_t> DirectoryVersion(absl::string_view text) {
  uint64_t version = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || rest != text.data() + text.size() || text[0] == '0') return std::nullopt;
  return version;
}

absl::Status CannotList(const std::string& directory, const std::error_code& error) {
  return DirectoryFailed(absl::StrCat("cannot list '", directory, "'"), error.value());
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

// Renames the bundle at `source` to `target`; copies it beside `target` first if they are on different file systems.
// Returns ALREADY_EXISTS if `target` exists.
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
  // Once renamed, the copy counts, even if it could not be synced.
  const bool moved = status.ok() || !fs::exists(temporary, error);
  RemoveAll(moved ? source : temporary).IgnoreError();
  return status;
}

}  // namespace

absl::StatusOr<std::vector<ModelDirectory::Entry>> ModelDirectory::Scan() const {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator model(directory_, error), end; !error && model != end; model.increment(error)) {
    Entry entry;
    entry.name = model->path().filename().string();
    std::error_code inner;
    if (!model->is_directory(inner) || IsPassing(entry.name) || entry.name == kOfFileSystem) continue;
    if (const absl::Status valid = ValidateName("model", entry.name); !valid.ok()) {
      entry.problems.push_back(absl::StrCat(
          "the directory is ignored, for no model can be called so: ", ToUtf8(valid.message()), "; rename it"));
      entry.name = ToUtf8(entry.name);
      entries.push_back(std::move(entry));
      continue;
    }
    fs::directory_iterator child(model->path(), inner);
    for (const fs::directory_iterator last; !inner && child != last; child.increment(inner)) {
      const std::string name = child->path().filename().string();
      std::error_code ignored;
      if (const std::optional<uint64_t> version = DirectoryVersion(name); version.has_value()) {
        entry.versions.push_back(*version);
      } else if (!IsPassing(name) && child->is_directory(ignored)) {
        entry.problems.push_back(
            absl::StrCat("'", ToUtf8(name), "' is ignored: the directory of a version is called by its ",
                         "number, 1 or more, in digits without a sign or a zero in front; rename it"));
      }
    }
    std::sort(entry.versions.begin(), entry.versions.end());
    std::sort(entry.problems.begin(), entry.problems.end());
    if (inner) {
      entry.listed = false;
      entry.problems.push_back(std::string(CannotList(model->path().string(), inner).message()));
    }
    entries.push_back(std::move(entry));
  }
  if (error) return CannotList(directory_, error);
  return entries;
}

absl::StatusOr<std::vector<uint64_t>> ModelDirectory::Versions(const std::string& name) const {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Entry> entries, Scan());
  for (const Entry& entry : entries) {
    if (entry.name != name) continue;
    if (!entry.listed) return absl::UnavailableError(entry.problems.back());
    return entry.versions;
  }
  return std::vector<uint64_t>();
}

std::string ModelDirectory::BundlePath(const std::string& name, uint64_t version) const {
  return absl::StrCat(directory_, "/", name, "/", version);
}

absl::StatusOr<uint64_t> ModelDirectory::NextVersion(const std::string& name) const {
  uint64_t last = 0;
  const std::string path = absl::StrCat(directory_, "/", name, "/last_version");
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxVersionBytes);
  if (text.ok()) {
    const absl::string_view digits = absl::StripAsciiWhitespace(*text);
    const std::optional<uint64_t> recorded = DirectoryVersion(digits);
    if (!recorded.has_value() && digits != "0") {
      return absl::DataLossError(absl::StrCat("'", path, "' holds '", ToUtf8(digits),
                                              "', not a version number; write the highest version ever published into ",
                                              "it"));
    }
    last = recorded.value_or(0);
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  // Bundles that somebody copied in by hand count too.
  KWTA_ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, Versions(name));
  if (!versions.empty()) last = std::max(last, versions.back());
  if (last == std::numeric_limits<uint64_t>::max()) {
    return absl::OutOfRangeError(absl::StrCat("model '", name, "' has version ", last,
                                              ", the highest there can be: rename that version and write the new ",
                                              "number into '", path, "'"));
  }
  return last + 1;
}

absl::Status ModelDirectory::RecordVersion(const std::string& name, uint64_t version) {
  const std::string path = absl::StrCat(directory_, "/", name, "/last_version"), number = absl::StrCat(version);
  // Nothing is written if it is there already: a full disk must not keep anybody from deleting a version.
  const absl::StatusOr<std::string> recorded = ReadFile(path, kMaxVersionBytes);
  if (recorded.ok() && absl::StripAsciiWhitespace(*recorded) == number) return absl::OkStatus();
  return WriteFileAtomically(path, number + "\n");
}

absl::StatusOr<uint64_t> ModelDirectory::Install(const std::string& source, const std::string& name) {
  const std::string model = absl::StrCat(directory_, "/", name);
  std::error_code error;
  fs::create_directories(model, error);
  if (error) return DirectoryFailed(absl::StrCat("cannot make '", model, "'"), error.value());
  // Another server may choose the same number at the same time, but only one gets the name.
  absl::Status status;
  for (int attempt = 0; attempt < kInstallAttempts; ++attempt) {
    KWTA_ASSIGN_OR_RETURN(const uint64_t version, NextVersion(name));
    status = MoveInto(source, BundlePath(name, version));
    if (status.ok()) {
      KWTA_RETURN_IF_ERROR(FinishInstall(name, version));
      return version;
    }
    if (!absl::IsAlreadyExists(status)) return status;
  }
  return status;
}

absl::Status ModelDirectory::FinishInstall(const std::string& name, uint64_t version) {
  KWTA_ASSIGN_OR_RETURN(const uint64_t next, NextVersion(name));
  KWTA_RETURN_IF_ERROR(RecordVersion(name, std::max(version, next - 1)));
  KWTA_RETURN_IF_ERROR(Sync(absl::StrCat(directory_, "/", name)));
  return Sync(directory_);
}

absl::StatusOr<uint64_t> ModelDirectory::VersionOfJob(const std::string& name, const std::string& job_id) const {
  if (job_id.empty()) return 0;
  KWTA_ASSIGN_OR_RETURN(const std::vector<uint64_t> versions, Versions(name));
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    const absl::StatusOr<v1::ModelDescription> description = ReadModelDescription(BundlePath(name, *version));
    if (description.ok() && description->job_id() == job_id) return *version;
    // A job that is just ending did not make a damaged or missing bundle. Other errors leave that unknown.
    const absl::Status& status = description.status();
    if (!status.ok() && !absl::IsDataLoss(status) && !absl::IsNotFound(status)) return status;
  }
  return 0;
}

std::vector<std::string> ModelDirectory::RemoveDebris(absl::Duration age) {
  std::vector<std::string> removed;
  std::error_code error;
  for (fs::recursive_directory_iterator each(directory_, error), end; !error && each != end; each.increment(error)) {
    if (each.depth() > 0 || !each->is_directory(error)) each.disable_recursion_pending();
    const fs::path path = each->path();
    struct stat about = {};
    if (!IsDebris(path.filename().string()) || ::lstat(path.c_str(), &about) != 0) continue;
    if (absl::Now() - absl::TimeFromTimespec(about.st_mtim) < age) continue;
    each.disable_recursion_pending();
    if (RemoveAll(path.string()).ok()) removed.push_back(path.string());
  }
  return removed;
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
  // The number must outlive the bundle, even one that was copied in by hand.
  KWTA_ASSIGN_OR_RETURN(const uint64_t next, NextVersion(name));
  KWTA_RETURN_IF_ERROR(RecordVersion(name, next - 1));
  // Rename the bundle first, so that a crash in the middle leaves nothing that looks like a bundle.
  const std::string path = BundlePath(name, version);
  const std::string doomed = path + kDeletedMark;
  std::error_code error;
  fs::remove_all(doomed, error);
  if (::rename(path.c_str(), doomed.c_str()) != 0)
    return DirectoryFailed(absl::StrCat("cannot delete '", path, "'"), errno);
  fs::remove_all(doomed, error);
  if (error) return DirectoryFailed(absl::StrCat("cannot delete '", doomed, "'"), error.value());
  return absl::OkStatus();
}

}  // namespace kwta::server

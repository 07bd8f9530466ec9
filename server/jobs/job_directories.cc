#include "server/jobs/job_directories.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

bool IsKept(absl::string_view name, Keep keep) {
  switch (keep) {
    case Keep::kNothing:
      return false;
    case Keep::kLog:
      return name == kTrainerLogName;
    case Keep::kResults:
      return name == kTrainerLogName || name == kBundleName;
    case Keep::kProgress:
      return !absl::StartsWith(name, ".");  // names of temporary files start with a dot
  }
  return true;
}

// The files of a job that go on from one attempt to the next.
std::vector<fs::path> CheckpointFiles(const std::string& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (IsKept(name, Keep::kProgress) && !IsKept(name, Keep::kResults)) files.push_back(entry->path());
  }
  return files;
}

}  // namespace

Keep KeepOfFailure(absl::StatusCode code, const std::string& directory) {
  // Training that diverged, data that are not those of the checkpoint any more, rows that cannot be trained on.
  const bool will_return = code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kInvalidArgument;
  return will_return || CheckpointFiles(directory).empty() ? Keep::kLog : Keep::kProgress;
}

bool MoveCheckpoint(const std::string& from, const std::string& to) {
  if (!CheckpointFiles(to).empty()) return false;
  bool moved = false;
  for (const fs::path& file : CheckpointFiles(from)) {
    std::error_code error;
    fs::rename(file, fs::path(to) / file.filename(), error);
    moved |= !error;
  }
  return moved;
}

std::vector<std::string> ClearJobDirectory(const std::string& directory, Keep keep) {
  std::vector<std::string> removed;
  std::error_code error;
  bool is_empty = true;
  std::vector<fs::path> doomed;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (IsKept(entry->path().filename().string(), keep)) {
      is_empty = false;
    } else {
      doomed.push_back(entry->path());
    }
  }
  for (const fs::path& path : doomed) {
    if (fs::remove_all(path, error) != static_cast<std::uintmax_t>(-1) && !error) removed.push_back(path.string());
  }
  if (is_empty && keep != Keep::kProgress && fs::remove(directory, error)) removed.push_back(directory);
  return removed;
}

}  // namespace kwta::server

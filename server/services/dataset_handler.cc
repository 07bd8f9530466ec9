#include "server/services/dataset_handler.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/files/files.h"
#include "core/io/datasets/data_file.h"
#include "core/io/datasets/dataset_check.h"
#include "core/io/datasets/dataset_summary.h"
#include "core/io/datasets/named_datasets.h"
#include "server/jobs/job_events.h"
#include "server/services/dataset_upload.h"

namespace kwta::server {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kDefaultDatasets = 1000;
constexpr uint32_t kMostDatasets = 10'000;

// Returns the reference without the choice of rows.
v1::DatasetRef SourceOf(const v1::DatasetRef& dataset) {
  v1::DatasetRef source;
  if (dataset.has_name()) source.set_name(dataset.name());
  if (dataset.has_path()) source.set_path(dataset.path());
  return source;
}

std::string NameOf(const v1::DatasetRef& dataset) { return dataset.has_name() ? dataset.name() : dataset.path(); }

// Returns the path without "." and a slash at its end.
std::string NormalPath(const std::string& path) {
  return std::string(absl::StripSuffix(fs::path(path).lexically_normal().string(), "/"));
}

// Returns the path with links followed as far as it exists.
std::string ResolvedPath(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path : NormalPath(resolved.string());
}

bool IsAtOrBelow(const std::string& path, const std::string& folder) {
  return path == folder || absl::StartsWith(path, folder + "/");
}

struct Extent {
  uint64_t bytes = 0;
  int64_t changed = 0;  // seconds since 1970
};

void Add(const std::string& path, Extent* extent) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0) return;
  extent->changed = std::max<int64_t>(extent->changed, found.st_mtime);
  if (S_ISREG(found.st_mode)) extent->bytes += static_cast<uint64_t>(found.st_size);
}

// Measures a file, or all files in a folder. Follows a link of the path itself, and none below it.
Extent Measure(const std::string& path) {
  Extent extent;
  const std::string resolved = ResolvedPath(path);
  Add(resolved, &extent);
  std::error_code error;
  constexpr auto kSkip = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(resolved, kSkip, error), end; !error && entry != end;
       entry.increment(error)) {
    Add(entry->path().string(), &extent);
  }
  return extent;
}

// Returns the path by which a request names an entry of a data directory; empty if it is no data set.
std::string PathOfEntry(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (absl::StartsWith(name, ".")) return "";
  std::error_code ignored;  // An entry that cannot be examined is no folder.
  if (!entry.is_directory(ignored)) return HasDatasetFileEnding(name) ? name : "";
  return name + "/";
}

}  // namespace

absl::StatusOr<std::optional<int64_t>> DatasetHandler::CheckIsUsable(const v1::DatasetRef& dataset) const {
  auto rows = CheckDataset(dataset, DatasetOptions{directories_});
  if (!absl::IsNotFound(rows.status()) || !dataset.has_path()) return rows;
  return absl::NotFoundError(
      absl::StrCat(rows.status().message(), "; upload it with UploadDataset, or name its directory with --data-dir"));
}

v1::DatasetOrigin DatasetHandler::OriginOf(const Place& place) const {
  if (place.root == directories_.front()) return v1::DATASET_ORIGIN_OWN;
  const bool named = std::find(directories_.begin(), directories_.end(), place.root) != directories_.end();
  return named ? v1::DATASET_ORIGIN_DIRECTORY : v1::DATASET_ORIGIN_SYSTEM;
}

absl::StatusOr<DatasetHandler::Place> DatasetHandler::Locate(const v1::DatasetRef& dataset) const {
  KWTA_RETURN_IF_ERROR(ValidateDatasetRef(dataset));
  if (dataset.has_path()) {
    KWTA_ASSIGN_OR_RETURN(const DataFile found, FindDataFile(dataset.path(), DatasetOptions{directories_}));
    return Place{found.root, NormalPath(absl::StrCat(found.root, "/", dataset.path()))};
  }
  KWTA_ASSIGN_OR_RETURN(const NamedDataset named, FindNamedDataset(dataset.name()));
  KWTA_ASSIGN_OR_RETURN(const DatasetFiles files, LocateNamedDataset(named, /*test=*/false, directories_));
  return Place{files.root, NormalPath(absl::StrCat(files.root, "/", named.name))};
}

absl::StatusOr<std::vector<DatasetHandler::Use>> DatasetHandler::UsesNow() const {
  std::vector<Use> uses;
  for (const v1::JobState state : {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING}) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs,
                          journal_->store().List(state, std::numeric_limits<int64_t>::max()));
    for (const v1::Job& job : jobs) {
      absl::StatusOr<Place> place = Locate(SourceOf(job.spec().dataset()));
      if (place.ok()) uses.push_back({job.id(), place->path, ResolvedPath(place->path)});
    }
  }
  return uses;
}

std::vector<std::string> DatasetHandler::JobsAt(const Place& place, const std::vector<Use>& uses) {
  // A folder is in use if something in it is, and so is a file if its folder is.
  const auto meet = [](const std::string& a, const std::string& b) { return IsAtOrBelow(a, b) || IsAtOrBelow(b, a); };
  std::vector<std::string> jobs;
  const std::string resolved = ResolvedPath(place.path);
  for (const Use& use : uses) {
    if (meet(use.path, place.path) || meet(use.resolved, resolved)) jobs.push_back(use.job);
  }
  return jobs;
}

v1::DatasetInfo DatasetHandler::Describe(const v1::DatasetRef& dataset, const Place& place,
                                         const std::vector<Use>& uses) const {
  v1::DatasetInfo info;
  *info.mutable_dataset() = dataset;
  info.set_origin(OriginOf(place));
  const Extent extent = Measure(place.path);
  info.set_bytes(extent.bytes);
  info.mutable_changed()->set_seconds(extent.changed);
  for (std::string& job : JobsAt(place, uses)) info.add_jobs(std::move(job));
  const DatasetOptions options{directories_};
  const absl::StatusOr<DatasetSummary> summary = SummariseDataset(dataset, options);
  if (!summary.ok()) {
    *info.mutable_failure() = ToFailure(summary.status());
    return info;
  }
  info.set_rows(static_cast<uint64_t>(summary->rows));
  info.mutable_row_shape()->Add(summary->row_shape.begin(), summary->row_shape.end());
  info.set_element_type(summary->element_type);
  info.set_labelled(summary->labelled);
  info.set_classes(static_cast<uint32_t>(summary->classes));
  for (const std::string& note : summary->notes) info.add_notes(ToUtf8(note));
  v1::DatasetRef test = dataset;
  test.set_split(v1::DATASET_SPLIT_TEST);
  if (const auto rows = SummariseDataset(test, options); rows.ok()) {
    info.set_test_rows(static_cast<uint64_t>(rows->rows));
  }
  return info;
}

std::vector<v1::DatasetRef> DatasetHandler::AllDatasets() const {
  std::vector<v1::DatasetRef> all;
  std::set<std::string> taken;  // what is listed by its name
  for (const NamedDataset& named : AllNamedDatasets()) {
    v1::DatasetRef dataset;
    dataset.set_name(std::string(named.name));
    const absl::StatusOr<Place> place = Locate(dataset);
    if (!place.ok()) continue;
    taken.insert(place->path);
    all.push_back(std::move(dataset));
  }
  std::set<std::string> paths;
  for (const std::string& directory : directories_) {
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
      std::string path = PathOfEntry(*entry);
      if (!path.empty() && taken.count(NormalPath(absl::StrCat(directory, "/", path))) == 0) {
        paths.insert(std::move(path));
      }
    }
  }
  for (const std::string& path : paths) all.emplace_back().set_path(path);
  return all;
}

absl::StatusOr<v1::ListDatasetsResponse> DatasetHandler::ListDatasets(const v1::ListDatasetsRequest& request) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<Use> uses, UsesNow());
  const uint32_t limit = request.limit() == 0 ? kDefaultDatasets : std::min(request.limit(), kMostDatasets);
  v1::ListDatasetsResponse response;
  for (const v1::DatasetRef& dataset : AllDatasets()) {
    const absl::StatusOr<Place> place = Locate(dataset);
    if (absl::IsNotFound(place.status())) continue;  // it went this moment
    if (static_cast<uint32_t>(response.datasets_size()) == limit) {
      response.set_more(true);
      break;
    }
    v1::DatasetInfo info;
    if (place.ok()) {
      info = Describe(dataset, *place, uses);
    } else {
      *info.mutable_dataset() = dataset;
      *info.mutable_failure() = ToFailure(place.status());
    }
    std::error_code ignored;
    // A folder of something else is no data set.
    const bool other_folder = info.failure().code() == static_cast<int>(absl::StatusCode::kInvalidArgument) &&
                              place.ok() && fs::is_directory(place->path, ignored);
    if (other_folder) continue;
    if (!IsUtf8(NameOf(dataset))) {
      info.mutable_dataset()->set_path(ToUtf8(dataset.path()));
      *info.mutable_failure() =
          ToFailure(absl::InvalidArgumentError("its name is not UTF-8, so no request can name it; rename it"));
    }
    *response.add_datasets() = std::move(info);
  }
  return response;
}

absl::StatusOr<v1::GetDatasetResponse> DatasetHandler::GetDataset(const v1::GetDatasetRequest& request) {
  const v1::DatasetRef dataset = SourceOf(request.dataset());
  KWTA_ASSIGN_OR_RETURN(const Place place, Locate(dataset));
  KWTA_ASSIGN_OR_RETURN(const std::vector<Use> uses, UsesNow());
  v1::GetDatasetResponse response;
  *response.mutable_dataset() = Describe(dataset, place, uses);
  return response;
}

absl::StatusOr<v1::DeleteDatasetResponse> DatasetHandler::DeleteDataset(const v1::DeleteDatasetRequest& request) {
  const v1::DatasetRef dataset = SourceOf(request.dataset());
  const absl::MutexLock lock(&submissions_);
  KWTA_ASSIGN_OR_RETURN(const Place place, Locate(dataset));
  const std::string& own = directories_.front();
  if (place.root != own) {
    return absl::FailedPreconditionError(
        absl::StrCat("data set '", NameOf(dataset), "' lies in '", place.root,
                     "'; the server deletes only what lies in its own data directory, where uploads do"));
  }
  if (place.path == NormalPath(own)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", NameOf(dataset), "' is the data directory itself; name a data set in it"));
  }
  KWTA_ASSIGN_OR_RETURN(const std::vector<Use> uses, UsesNow());
  const std::vector<std::string> jobs = JobsAt(place, uses);
  if (!jobs.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("data set '", NameOf(dataset), "' is needed by job '", jobs.front(), "'",
                     jobs.size() > 1 ? absl::StrCat(" and ", jobs.size() - 1, " more") : "",
                     ", which has not ended; wait for its end or cancel it"));
  }
  v1::DeleteDatasetResponse response;
  response.set_bytes(Measure(place.path).bytes);
  // It goes as a whole, whatever happens while its files are removed.
  KWTA_ASSIGN_OR_RETURN(const std::string temporary, DatasetUpload::MakeTemporary(own));
  std::error_code error;
  fs::rename(place.path, temporary + "/deleted", error);
  const absl::Status removed = RemoveAll(temporary);
  if (error) return FileError(error.value(), "delete", place.path);
  KWTA_RETURN_IF_ERROR(removed);
  return response;
}

}  // namespace kwta::server

#include "core/io/datasets/dataset_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/datasets/cifar_binary.h"
#include "core/io/datasets/norb.h"
#include "core/io/images/class_folders.h"
#include "core/io/images/image_folder.h"

namespace kwta {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::binary_search(names.begin(), names.end(), name);
}

// Returns the names in a folder, sorted, without those that start with a dot. Errors: see core/files/files.h.
absl::StatusOr<std::vector<std::string>> NamesInFolder(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.front() != '.') names.push_back(std::move(name));
  }
  if (error) return FileError(error.value(), "read", path);
  std::sort(names.begin(), names.end());
  return names;
}

bool HasCifarBatches(const std::vector<std::string>& names) {
  return Contains(names, CifarBatchNames(false)[0]) || Contains(names, CifarBatchNames(true)[0]);
}

absl::StatusOr<std::vector<std::string>> CifarBatchPaths(const std::string& root, const std::string& folder, bool test,
                                                         Links links) {
  std::vector<std::string> paths;
  for (const std::string& name : CifarBatchNames(test)) {
    KWTA_ASSIGN_OR_RETURN(std::string path, PathWithin(root, absl::StrCat(folder, "/", name), links));
    paths.push_back(std::move(path));
  }
  return paths;
}

// Returns the name of the images of a part, below root.
absl::StatusOr<std::string> NorbImagesIn(const std::string& folder, std::vector<std::string> names, bool test) {
  names.erase(std::remove_if(names.begin(), names.end(), [](const std::string& name) { return !IsNorbImages(name); }),
              names.end());
  std::vector<std::string> chosen;
  for (const std::string& name : names) {
    if (absl::StrContains(name, test ? "testing" : "training")) chosen.push_back(name);
  }
  if (chosen.empty() && names.size() == 1 && !test) chosen = names;
  if (chosen.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("folder '", folder, "' has ", chosen.size(),
                                                   " files of NORB images whose name contains '",
                                                   test ? "testing" : "training", "'; expected one, or name the file"));
  }
  return absl::StrCat(folder, "/", chosen[0]);
}

absl::Status NoTestRows(const std::string& folder) {
  return absl::InvalidArgumentError(
      absl::StrCat("folder '", folder,
                   "' has no test rows: it holds no files of CIFAR-10 or small NORB; name a folder of test images"));
}

}  // namespace

bool HoldsPublishedFiles(const std::string& path) {
  const auto names = NamesInFolder(path);
  return names.ok() && (HasCifarBatches(*names) || std::any_of(names->begin(), names->end(), IsNorbImages));
}

absl::StatusOr<StoredRows> ReadDatasetFolder(const std::string& root, const std::string& folder, bool test,
                                             Links links) {
  KWTA_ASSIGN_OR_RETURN(const std::string path, PathWithin(root, folder, links));
  KWTA_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesInFolder(path));
  if (HasCifarBatches(names)) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> batches, CifarBatchPaths(root, folder, test, links));
    return ReadCifarBatches(batches);
  }
  if (std::any_of(names.begin(), names.end(), IsNorbImages)) {
    KWTA_ASSIGN_OR_RETURN(const std::string images, NorbImagesIn(folder, std::move(names), test));
    return ReadNorb(images, [&](const std::string& name) { return PathWithin(root, name, links); });
  }
  if (test) return NoTestRows(folder);
  return ReadImageFolder(root, folder, links);
}

absl::StatusOr<DatasetSummary> SummariseFolder(const std::string& root, const std::string& folder, bool test,
                                               Links links) {
  KWTA_ASSIGN_OR_RETURN(const std::string path, PathWithin(root, folder, links));
  KWTA_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesInFolder(path));
  if (HasCifarBatches(names)) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> batches, CifarBatchPaths(root, folder, test, links));
    return SummariseCifarBatches(batches);
  }
  if (std::any_of(names.begin(), names.end(), IsNorbImages)) {
    KWTA_ASSIGN_OR_RETURN(const std::string images, NorbImagesIn(folder, std::move(names), test));
    KWTA_ASSIGN_OR_RETURN(const std::string file, PathWithin(root, images, links));
    return SummariseNorb(file);
  }
  if (test) return NoTestRows(folder);
  KWTA_ASSIGN_OR_RETURN(ClassCounts counts, CountClassFolders(root, folder, links));
  DatasetSummary summary{counts.pictures, {}, DTypeName(DType::kU8), true, counts.classes, {}};
  if (!counts.left_out.empty()) summary.notes.push_back(std::move(counts.left_out));
  return summary;
}

}  // namespace kwta

#include "core/io/datasets/data_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/files/files.h"

namespace kwta {

absl::StatusOr<DataFile> FindDataFile(const std::string& path, const DatasetOptions& options) {
  for (const std::string& directory : options.directories) {
    absl::StatusOr<std::string> found = PathWithin(directory, path, options.links);
    if (found.ok()) return DataFile{directory, *std::move(found)};
    if (!absl::IsNotFound(found.status())) return found.status();
  }
  return absl::NotFoundError(absl::StrCat(
      "data file '", path, "' was not found; looked in ",
      options.directories.empty() ? "no directory: none is configured" : absl::StrJoin(options.directories, ", ")));
}

}  // namespace kwta

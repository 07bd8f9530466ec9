#include "client/cli/input_rows.h"

#include <cerrno>
#include <filesystem>
#include <memory>
#include <numeric>
#include <system_error>
#include <utility>

#include "client/cli/spec_options.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

void GatherRange(const Dataset& dataset, int64_t begin, int64_t count, void* out) {
  std::vector<uint32_t> which(count);
  std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
  dataset.Gather(which.data(), count, out);
}

// Loads `path`, relative to `directory`. A server lets no link lead out of its data directory; here the user's own
// files are read, and caches of data sets are full of links. So the file is named from the root of the file system.
absl::StatusOr<Dataset> LoadBelowRoot(const std::string& directory, const std::string& path, v1::DatasetRef reference) {
  KWTA_RETURN_IF_ERROR(ValidateRelativePath(path));
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::canonical(directory, error) / path;
  if (error) return FileError(error.value(), "open", directory);
  if (!std::filesystem::exists(whole, error)) return FileError(error ? error.value() : ENOENT, "open", whole.string());
  reference.set_path(whole.relative_path().string());
  return LoadDataset(reference, {{"/"}});
}

}  // namespace

absl::StatusOr<Dataset> LocalDataset::Load() const {
  if (reference.has_path() && !directory.empty()) return LoadBelowRoot(directory, reference.path(), reference);
  DatasetOptions options;
  if (!directory.empty()) options.directories.push_back(directory);
  return LoadDataset(reference, options);
}

void AddLocalDatasetOptions(CLI::App& app, const std::vector<std::string>& splits, LocalDataset* dataset) {
  AddDatasetOptions(app, &dataset->reference);
  AddSplitOption(app, splits, &dataset->reference);
  app.add_option("--data-dir", dataset->directory, "Directory on this machine that --data is looked for in")
      ->check(CLI::ExistingDirectory)
      ->type_name("DIR")
      ->group(app.get_option("--data")->get_group());
}

absl::StatusOr<Dataset> LoadFile(const std::string& file) {
  const std::filesystem::path path = std::filesystem::absolute(file);
  return LoadBelowRoot(path.parent_path().string(), path.filename().string(), {});
}

RowSource SourceOf(const Dataset& dataset) {
  const auto piece = std::make_shared<Tensor>();
  const auto read = [&dataset, piece](int64_t begin, int64_t count) {
    if (piece->shape()[0] < count) *piece = Tensor(dataset.dtype(), {count, dataset.width()});
    GatherRange(dataset, begin, count, piece->data());
    return piece->rows().Slice(0, count);
  };
  return {dataset.rows(), dataset.width(), dataset.dtype(), read};
}

Tensor Gathered(const Dataset& dataset) {
  Tensor rows(dataset.dtype(), {dataset.rows(), dataset.width()});
  GatherRange(dataset, 0, dataset.rows(), rows.data());
  return rows;
}

}  // namespace kwta::client::cli

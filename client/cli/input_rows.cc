#include "client/cli/input_rows.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/options/spec_options.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/io/datasets/named_datasets.h"

namespace kwta::client::cli {
namespace {

void GatherRange(const Dataset& dataset, int64_t begin, int64_t count, void* out) {
  std::vector<uint32_t> which(count);
  std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
  dataset.Gather(which.data(), count, out);
}

// Loads data that the user of this program names, so links may lead anywhere. Says what was left out or converted.
absl::StatusOr<Dataset> LoadAndSay(const v1::DatasetRef& reference, DatasetOptions options) {
  options.links = Links::kFollow;
  absl::StatusOr<Dataset> dataset = LoadDataset(reference, options);
  if (!dataset.ok()) return dataset;
  for (const std::string& note : dataset->notes()) std::cerr << "kwta: warning: " << ToPrintable(note) << std::endl;
  return dataset;
}

}  // namespace

absl::StatusOr<Dataset> LocalDataset::Load() const {
  DatasetOptions options;
  if (!directory.empty()) options.directories.push_back(directory);
  absl::StatusOr<Dataset> dataset = LoadAndSay(reference, std::move(options));
  const bool may_lie_elsewhere = reference.has_path() || FindNamedDataset(reference.name()).ok();
  if (!absl::IsNotFound(dataset.status()) || !directory.empty() || !may_lie_elsewhere) return dataset;
  return absl::NotFoundError(absl::StrCat(dataset.status().message(),
                                          "; this command reads the data on this machine, wherever the server has "
                                          "them: say with --data-dir in which directory they lie"));
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
  v1::DatasetRef reference;
  reference.set_path(path.filename().string());
  return LoadAndSay(reference, {{path.parent_path().string()}});
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

absl::StatusOr<Tensor> Gathered(const Dataset& dataset) {
  Tensor rows(dataset.dtype(), {dataset.rows(), dataset.width()});
  GatherRange(dataset, 0, dataset.rows(), rows.data());
  KWTA_RETURN_IF_ERROR(dataset.CheckUnchanged());
  return rows;
}

}  // namespace kwta::client::cli

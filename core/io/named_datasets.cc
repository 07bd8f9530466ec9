#include "core/io/named_datasets.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kwta {
namespace {

constexpr char kSystemDirectory[] = "/usr/share/datasets";

constexpr int64_t kGrey28[] = {28, 28};
constexpr int64_t kColour32[] = {3, 32, 32};
constexpr absl::string_view kOwnFiles =
    "put train-images.idx.gz, train-labels.idx.gz, test-images.idx.gz and test-labels.idx.gz there";

constexpr NamedDataset kDatasets[] = {
    {"fashion-mnist", kGrey28, 10, "on Debian, install the package dataset-fashion-mnist"},
    {"mnist", kGrey28, 10, kOwnFiles},
    {"cifar10", kColour32, 10, kOwnFiles},
};

// How the files of a data set may be called: as the MNIST family is distributed, or plainly.
struct FileNames {
  const char* images[2];  // Of the training part, of the test part.
  const char* labels[2];
};
constexpr FileNames kFileNames[] = {
    {{"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"},
     {"train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}},
    {{"train-images.idx.gz", "test-images.idx.gz"}, {"train-labels.idx.gz", "test-labels.idx.gz"}},
};

}  // namespace

absl::Span<const NamedDataset> AllNamedDatasets() { return kDatasets; }

absl::StatusOr<NamedDataset> FindNamedDataset(absl::string_view name) {
  for (const NamedDataset& dataset : kDatasets) {
    if (dataset.name == name) return dataset;
  }
  return absl::NotFoundError(absl::StrCat(
      "unknown data set '", name.substr(0, 128), "'; expected one of ",
      absl::StrJoin(kDatasets, ", ", [](std::string* out, const NamedDataset& d) { absl::StrAppend(out, d.name); }),
      ", or a path to a file"));
}

absl::StatusOr<DatasetFiles> LocateNamedDataset(const NamedDataset& dataset, bool test,
                                                const std::vector<std::string>& directories) {
  std::vector<std::string> folders;
  folders.reserve(directories.size() + 1);
  for (const std::string& directory : directories) folders.push_back(absl::StrCat(directory, "/", dataset.name));
  folders.push_back(absl::StrCat(kSystemDirectory, "/", dataset.name));
  for (const std::string& folder : folders) {
    for (const FileNames& names : kFileNames) {
      DatasetFiles files{absl::StrCat(folder, "/", names.images[test]), absl::StrCat(folder, "/", names.labels[test])};
      std::error_code ignored;  // What cannot be looked at is not there.
      if (std::filesystem::exists(files.images, ignored)) return files;
    }
  }
  return absl::NotFoundError(absl::StrCat("the ", test ? "test" : "training", " images of data set '", dataset.name,
                                          "' were not found; looked in ", absl::StrJoin(folders, ", "), "; ",
                                          dataset.how_to_get));
}

}  // namespace kwta

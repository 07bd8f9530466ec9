#include "core/io/datasets/named_datasets.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/io/datasets/dataset_folder.h"

namespace kwta {
namespace {

constexpr char kSystemDirectory[] = "/usr/share/datasets";

constexpr int64_t kGrey28[] = {28, 28};
constexpr int64_t kColour32[] = {3, 32, 32};
constexpr int64_t kTwoViews96[] = {2, 96, 96};
constexpr absl::string_view kOwnFiles =
    "put train-images.idx.gz, train-labels.idx.gz, test-images.idx.gz and test-labels.idx.gz there";

constexpr NamedDataset kDatasets[] = {
    {"fashion-mnist", kGrey28, 10, "on Debian, install the package dataset-fashion-mnist"},
    {"mnist", kGrey28, 10, kOwnFiles},
    {"cifar10", kColour32, 10,
     "put the binary version's data_batch_1.bin .. data_batch_5.bin and test_batch.bin there"},
    {"small-norb", kTwoViews96, 5,
     "put the published files there, of which the images' end in -dat.mat or -dat.mat.gz"},
};

// The accepted file names: as the MNIST family is distributed, or plain ones.
struct FileNames {
  const char* images[2];  // The training part, the test part.
  const char* labels[2];
};
constexpr FileNames kFileNames[] = {
    {{"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"},
     {"train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}},
    {{"train-images.idx.gz", "test-images.idx.gz"}, {"train-labels.idx.gz", "test-labels.idx.gz"}},
};

// Folders, below the data set's own, of published files that are not idx files.
constexpr const char* kPublishedFolders[] = {"", "/cifar-10-batches-bin"};

}  // namespace

absl::Span<const NamedDataset> AllNamedDatasets() { return kDatasets; }

absl::StatusOr<NamedDataset> FindNamedDataset(absl::string_view name) {
  for (const NamedDataset& dataset : kDatasets) {
    if (dataset.name == name) return dataset;
  }
  return absl::NotFoundError(absl::StrCat(
      "unknown data set '", name.substr(0, 128), "'; expected one of ",
      absl::StrJoin(kDatasets, ", ", [](std::string* out, const NamedDataset& d) { absl::StrAppend(out, d.name); }),
      ", a path to a file, or '", name.substr(0, 128), "/' if it is a folder of pictures"));
}

absl::StatusOr<DatasetFiles> LocateNamedDataset(const NamedDataset& dataset, bool test,
                                                const std::vector<std::string>& directories) {
  std::vector<std::string> roots = directories;
  roots.push_back(kSystemDirectory);
  std::vector<std::string> folders;
  for (const std::string& root : roots) {
    const std::string folder = absl::StrCat(root, "/", dataset.name);
    folders.push_back(folder);
    for (const FileNames& names : kFileNames) {
      DatasetFiles files{absl::StrCat(folder, "/", names.images[test]), absl::StrCat(folder, "/", names.labels[test]),
                         root, ""};
      std::error_code ignored;  // A path that cannot be examined counts as missing.
      if (std::filesystem::exists(files.images, ignored)) return files;
    }
    for (const char* subfolder : kPublishedFolders) {
      if (HoldsPublishedFiles(folder + subfolder)) {
        return DatasetFiles{"", "", root, absl::StrCat(dataset.name, subfolder)};
      }
    }
  }
  return absl::NotFoundError(absl::StrCat("the ", test ? "test" : "training", " images of data set '", dataset.name,
                                          "' were not found; looked in ", absl::StrJoin(folders, ", "), "; ",
                                          dataset.how_to_get));
}

}  // namespace kwta

#include "core/io/datasets/named_datasets.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/io/datasets/dataset.h"
#include "tests/core/io/datasets/dataset_refs.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::named_datasets_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

std::string Labels(int rows, uint8_t label) {
  return Gzip(absl::StrCat(BigEndian(0x801, 4), BigEndian(rows, 4), std::string(rows, static_cast<char>(label))));
}

TEST(NamedDatasetsTest, LoadsFashionMnist) {
  const auto train = LoadDataset(Named("fashion-mnist"), TestData());
  ASSERT_THAT(train, IsOk());
  EXPECT_EQ(train->rows(), 2000);
  EXPECT_EQ(train->width(), 784);
  EXPECT_EQ(train->row_shape(), (Shape{28, 28}));
  EXPECT_EQ(train->dtype(), DType::kU8);
  ASSERT_TRUE(train->labelled());
  EXPECT_EQ(train->label(0), 9);
  EXPECT_EQ(train->label(3), 3);
  const uint8_t* pixels = static_cast<const uint8_t*>(train->row(0).data);
  // Sum of the first image's pixels, found with another program.
  EXPECT_EQ(std::accumulate(pixels, pixels + 784, 0), 76247);

  v1::DatasetRef ref = Named("fashion-mnist");
  ref.set_split(v1::DATASET_SPLIT_TEST);
  ref.set_validation_rows(1000);  // Of the training rows; the test rows do not mind.
  const auto test = LoadDataset(ref, TestData());
  ASSERT_THAT(test, IsOk());
  EXPECT_EQ(test->rows(), 500);
  EXPECT_EQ(test->label(0), 9);
  EXPECT_EQ(test->label(1), 2);
}

// A batch of CIFAR-10 whose rows have these labels.
std::string CifarBatch(const std::vector<char>& labels) {
  std::string batch;
  for (const char label : labels) batch += label + std::string(3072, 'x');
  return batch;
}

TEST(NamedDatasetsTest, LoadsPublishedFilesAndFolders) {
  const TemporaryDirectory directory;
  const DatasetOptions options{{directory.File("none"), directory.path()}};
  directory.Write("few.bin", CifarBatch({5, 6}));
  for (int i = 1; i <= 5; ++i) {
    directory.Write(absl::StrCat("cifar10/cifar-10-batches-bin/data_batch_", i, ".bin"), CifarBatch({1, 2}));
  }
  directory.Write("cifar10/cifar-10-batches-bin/test_batch.bin", CifarBatch({9}));
  const auto batch = LoadDataset(Path("few.bin"), options);
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(batch->label(1), 6);
  v1::DatasetRef ref = Path("cifar10/cifar-10-batches-bin");
  ref.set_validation_rows(4);
  EXPECT_EQ(LoadDataset(ref, options)->rows(), 6);
  ref.set_split(v1::DATASET_SPLIT_TEST);
  EXPECT_EQ(LoadDataset(ref, options)->label(0), 9);
  EXPECT_EQ(LoadDataset(Named("cifar10"), options)->rows(), 10);

  // The rows of a named data set are what its name says.
  const auto header = [](uint32_t magic, const std::vector<int>& extents) {
    std::string bytes = LittleEndian(magic, 4) + LittleEndian(extents.size(), 4);
    for (const int extent : extents) bytes += LittleEndian(extent, 4);
    return bytes;
  };
  directory.Write("small-norb/training-cat.mat", header(0x1E3D4C54, {1, 1, 1}) + LittleEndian(4, 4));
  directory.Write("small-norb/training-dat.mat", header(0x1E3D4C55, {1, 2, 96, 96}) + std::string(2 * 96 * 96, 'x'));
  const auto norb = LoadDataset(Named("small-norb"), options);
  ASSERT_THAT(norb, IsOk());
  EXPECT_EQ(norb->row_shape(), (Shape{2, 96, 96}));
  EXPECT_EQ(norb->label(0), 4);
  EXPECT_EQ(LoadDataset(Path("small-norb/training-dat.mat"), options)->rows(), 1);
  directory.Write("small-norb/training-dat.mat", header(0x1E3D4C55, {1, 2, 96, 95}) + std::string(2 * 96 * 95, 'x'));
  EXPECT_THAT(LoadDataset(Named("small-norb"), options),
              StatusIs(StatusCode::kDataLoss, "[2, 96, 95]; small-norb has u8 [2, 96, 96]"));
}

TEST(NamedDatasetsTest, KnowsItsNames) {
  EXPECT_THAT(NamedDatasets(), ElementsAre("fashion-mnist", "mnist", "cifar10", "small-norb"));
  EXPECT_THAT(
      ValidateDatasetRef(Named("fashion-mnits")),
      StatusIs(StatusCode::kNotFound,
               "unknown data set 'fashion-mnits'; expected one of fashion-mnist, mnist, cifar10, small-norb, a path "
               "to a file, or 'fashion-mnits/' if it is a folder of pictures"));
}

TEST(NamedDatasetsTest, SaysWhereItLooked) {
  const TemporaryDirectory directory;
  const DatasetOptions options{{directory.path()}};
  // No system folder has it: no package of Debian provides it.
  EXPECT_THAT(LoadDataset(Named("cifar10"), options),
              StatusIs(StatusCode::kNotFound,
                       absl::StrCat("looked in ", directory.path(), "/cifar10, /usr/share/datasets/cifar10")));
  EXPECT_THAT(LoadDataset(Path("none.npy"), options),
              StatusIs(StatusCode::kNotFound, absl::StrCat("'none.npy' was not found; looked in ", directory.path())));
  EXPECT_THAT(LoadDataset(Path("none.npy"), {}), StatusIs(StatusCode::kNotFound, "none is configured"));
}

TEST(NamedDatasetsTest, FindsPlainlyNamedFiles) {
  const TemporaryDirectory directory;
  directory.Write("mnist/train-images.idx.gz", Images(3, 28, 28));
  directory.Write("mnist/train-labels.idx.gz", Labels(3, 9));
  const DatasetOptions options{{directory.path()}};
  const auto data = LoadDataset(Named("mnist"), options);
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(data->rows(), 3);
  EXPECT_EQ(data->label(2), 9);

  v1::DatasetRef test = Named("mnist");
  test.set_split(v1::DATASET_SPLIT_TEST);
  EXPECT_THAT(LoadDataset(test, options), StatusIs(StatusCode::kNotFound, "the test images of data set 'mnist'"));
}

TEST(NamedDatasetsTest, FilesOfANamedDataSetMustFit) {
  const TemporaryDirectory directory;
  const DatasetOptions options{{directory.path()}};
  directory.Write("mnist/train-images.idx.gz", Images(3, 28, 28));
  EXPECT_THAT(LoadDataset(Named("mnist"), options), StatusIs(StatusCode::kNotFound, "train-labels.idx.gz"));
  directory.Write("mnist/train-labels.idx.gz", Labels(2, 0));
  EXPECT_THAT(LoadDataset(Named("mnist"), options),
              StatusIs(StatusCode::kDataLoss, "u8 [2]; expected a label for each image, u8 [3]"));
  directory.Write("mnist/train-labels.idx.gz", Labels(3, 10));
  EXPECT_THAT(LoadDataset(Named("mnist"), options),
              StatusIs(StatusCode::kDataLoss, "label 10 at row 0; expected 0 to 9"));
  directory.Write("mnist/train-images.idx.gz", Images(3, 28, 27));
  EXPECT_THAT(LoadDataset(Named("mnist"), options), StatusIs(StatusCode::kDataLoss, "[28, 27]; mnist has u8 [28, 28]"));
  directory.Write("mnist/train-images.idx.gz", Images(3, 28, 28).substr(0, 40));
  EXPECT_THAT(LoadDataset(Named("mnist"), options), StatusIs(StatusCode::kDataLoss, "cut short"));
}

}  // namespace
}  // namespace kwta::named_datasets_test

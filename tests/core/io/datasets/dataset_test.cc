#include "core/io/datasets/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/io/arrays/npy.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::dataset_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::Not;
using testing::UnorderedElementsAreArray;

const DatasetOptions& TestData() {
  static const DatasetOptions* options = new DatasetOptions{{KWTA_TEST_DATA "/datasets"}};
  return *options;
}

v1::DatasetRef Named(const std::string& name) {
  v1::DatasetRef ref;
  ref.set_name(name);
  return ref;
}

v1::DatasetRef Path(const std::string& path) {
  v1::DatasetRef ref;
  ref.set_path(path);
  return ref;
}

std::string Labels(int rows, uint8_t label) {
  return Gzip(absl::StrCat(BigEndian(0x801, 4), BigEndian(rows, 4), std::string(rows, static_cast<char>(label))));
}

std::string Images(int rows, int height, int width) {
  return Gzip(absl::StrCat(BigEndian(0x803, 4), BigEndian(rows, 4), BigEndian(height, 4), BigEndian(width, 4),
                           std::string(rows * height * width, 'x')));
}

// A directory with "a.npy", `rows` rows of two floats, {i, -i}.
void WriteRows(const TemporaryDirectory& directory, int rows) {
  std::vector<float> elements;
  for (int i = 0; i < rows; ++i) {
    elements.push_back(static_cast<float>(i));
    elements.push_back(static_cast<float>(-i));
  }
  ASSERT_THAT(WriteNpy(directory.File("a.npy"), {DType::kF32, {rows, 2}, elements.data()}), IsOk());
}

// First elements of the rows.
std::vector<int> FirstElements(const Dataset& data) {
  std::vector<int> first;
  for (int64_t i = 0; i < data.rows(); ++i)
    first.push_back(static_cast<int>(*static_cast<const float*>(data.row(i).data)));
  return first;
}

TEST(DatasetTest, LoadsFashionMnist) {
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

TEST(DatasetTest, GatherCopiesRows) {
  const auto data = LoadDataset(Named("fashion-mnist"), TestData());
  ASSERT_THAT(data, IsOk());
  const uint32_t which[] = {5, 0, 5};
  std::vector<uint8_t> out(3 * 784);
  data->Gather(which, 3, out.data());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(std::memcmp(out.data() + i * 784, data->row(which[i]).data, 784), 0);
}

TEST(DatasetTest, SplitsAreDisjointAndComplete) {
  const TemporaryDirectory directory;
  WriteRows(directory, 100);
  const DatasetOptions options{{directory.path()}};
  v1::DatasetRef ref = Path("a.npy");
  ref.set_validation_rows(30);
  const auto train = LoadDataset(ref, options);
  ref.set_split(v1::DATASET_SPLIT_VALIDATION);
  const auto validation = LoadDataset(ref, options);
  ASSERT_THAT(train, IsOk());
  ASSERT_THAT(validation, IsOk());
  const std::vector<int> kept = FirstElements(*train);
  std::vector<int> all = FirstElements(*validation);
  EXPECT_EQ(kept.size(), 70u);
  EXPECT_EQ(all.size(), 30u);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
  // The same rows every time, and on every machine: a change would move validation rows into training.
  EXPECT_THAT(std::vector<int>(all.begin(), all.begin() + 5), ElementsAre(27, 74, 44, 61, 77));
  all.insert(all.end(), kept.begin(), kept.end());
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_THAT(all, UnorderedElementsAreArray(expected));

  ref.set_split_seed(1);
  const auto other = LoadDataset(ref, options);
  ASSERT_THAT(other, IsOk());
  EXPECT_NE(FirstElements(*other), FirstElements(*validation));
}

TEST(DatasetTest, MaxRowsTakesTheFirst) {
  const TemporaryDirectory directory;
  WriteRows(directory, 10);
  v1::DatasetRef ref = Path("a.npy");
  ref.set_max_rows(3);
  const auto data = LoadDataset(ref, {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  EXPECT_THAT(FirstElements(*data), ElementsAre(0, 1, 2));
  ref.set_max_rows(11);
  const auto all = LoadDataset(ref, {{directory.path()}});
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->rows(), 10);
}

TEST(DatasetTest, LoadsFiles) {
  const TemporaryDirectory first, second;
  WriteRows(second, 4);
  second.Write("sub/a.idx", absl::string_view("\0\0\x08\x02\0\0\0\1\0\0\0\3abc", 15));
  second.Write("b.idx.gz", Images(2, 3, 4));
  const DatasetOptions options{{first.File("none"), first.path(), second.path()}};
  const auto npy = LoadDataset(Path("a.npy"), options);
  ASSERT_THAT(npy, IsOk());
  EXPECT_FALSE(npy->labelled());
  EXPECT_EQ(npy->row_shape(), (Shape{2}));
  EXPECT_THAT(FirstElements(*npy), ElementsAre(0, 1, 2, 3));
  const auto idx = LoadDataset(Path("sub/a.idx"), options);
  ASSERT_THAT(idx, IsOk());
  EXPECT_EQ(idx->width(), 3);
  const auto compressed = LoadDataset(Path("b.idx.gz"), options);
  ASSERT_THAT(compressed, IsOk());
  EXPECT_EQ(compressed->row_shape(), (Shape{3, 4}));
}

// A batch of CIFAR-10 whose rows have these labels.
std::string CifarBatch(const std::vector<char>& labels) {
  std::string batch;
  for (const char label : labels) batch += label + std::string(3072, 'x');
  return batch;
}

TEST(DatasetTest, LoadsPublishedFilesAndFolders) {
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

TEST(DatasetTest, FoldersAreNamedByPathsWithoutAnEnding) {
  EXPECT_THAT(ValidateDatasetRef(Path("photos")), IsOk());
  EXPECT_THAT(ValidateDatasetRef(Path("photos.2/train")), IsOk());
  EXPECT_THAT(ValidateDatasetRef(Path("photos.2/")), IsOk());
  EXPECT_THAT(ValidateDatasetRef(Path("./")), IsOk());
  EXPECT_THAT(ValidateDatasetRef(Path(".")), IsOk());
  EXPECT_THAT(ValidateDatasetRef(Path("photos.2")), StatusIs(StatusCode::kInvalidArgument, ", or a folder"));
  EXPECT_THAT(ValidateDatasetRef(Path("a/../b")), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  const TemporaryDirectory directory;
  EXPECT_THAT(LoadDataset(Path("photos"), {{directory.path()}}), StatusIs(StatusCode::kNotFound, "'photos'"));
}

TEST(DatasetTest, DividesRows) {
  const TemporaryDirectory directory;
  WriteRows(directory, 3);
  const auto data = LoadDataset(Path("a.npy"), {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  const Dataset divided = data->Divided(2, {1});
  EXPECT_EQ(divided.row_shape(), Shape{1});
  EXPECT_THAT(FirstElements(divided), ElementsAre(0, 0, 1, -1, 2, -2));
}

TEST(DatasetTest, StorageOutlivesTheFile) {
  const TemporaryDirectory directory;
  WriteRows(directory, 4);
  const auto data = LoadDataset(Path("a.npy"), {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  std::filesystem::remove(directory.File("a.npy"));
  const Dataset copy = *data;
  EXPECT_THAT(FirstElements(copy), ElementsAre(0, 1, 2, 3));
}

TEST(DatasetTest, KnowsItsNames) {
  EXPECT_THAT(NamedDatasets(), ElementsAre("fashion-mnist", "mnist", "cifar10", "small-norb"));
  EXPECT_THAT(
      ValidateDatasetRef(Named("fashion-mnits")),
      StatusIs(StatusCode::kNotFound, "unknown data set 'fashion-mnits'; expected one of fashion-mnist, mnist"));
}

TEST(DatasetTest, SaysWhereItLooked) {
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

TEST(DatasetTest, FindsPlainlyNamedFiles) {
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

TEST(DatasetTest, FilesOfANamedDataSetMustFit) {
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

TEST(DatasetTest, RefusesMalformedReferences) {
  EXPECT_THAT(ValidateDatasetRef({}), StatusIs(StatusCode::kInvalidArgument, "expected a name or a path"));
  EXPECT_THAT(ValidateDatasetRef(Path("a.csv")),
              StatusIs(StatusCode::kInvalidArgument, "expected a name ending in .npy"));
  EXPECT_THAT(ValidateDatasetRef(Path("../a.npy")), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  EXPECT_THAT(ValidateDatasetRef(Path("/a.npy")), StatusIs(StatusCode::kInvalidArgument, "is absolute"));
  v1::DatasetRef ref = Path("a.npy");
  ref.set_split(v1::DATASET_SPLIT_TEST);
  EXPECT_THAT(ValidateDatasetRef(ref), StatusIs(StatusCode::kInvalidArgument, "has no test rows"));
  ref.set_split(v1::DATASET_SPLIT_VALIDATION);
  EXPECT_THAT(ValidateDatasetRef(ref), StatusIs(StatusCode::kInvalidArgument, "validation_rows of at least 1"));
  ref.set_split(static_cast<v1::DatasetSplit>(17));
  EXPECT_THAT(ValidateDatasetRef(ref), StatusIs(StatusCode::kInvalidArgument, "split 17 is unknown"));
}

TEST(DatasetTest, RefusesPathsThatLeaveTheDirectory) {
  const TemporaryDirectory directory;
  directory.Write("secret.npy", "x");
  std::filesystem::create_directory(directory.File("data"));
  std::filesystem::create_symlink("../secret.npy", directory.File("data/link.npy"));
  EXPECT_THAT(LoadDataset(Path("link.npy"), {{directory.File("data")}}),
              StatusIs(StatusCode::kInvalidArgument, "symbolic link"));
}

TEST(DatasetTest, ValidationMustLeaveSomething) {
  const TemporaryDirectory directory;
  WriteRows(directory, 10);
  v1::DatasetRef ref = Path("a.npy");
  ref.set_validation_rows(10);
  EXPECT_THAT(LoadDataset(ref, {{directory.path()}}),
              StatusIs(StatusCode::kInvalidArgument, "validation_rows is 10, but"));
  ref.set_validation_rows(9);
  const auto data = LoadDataset(ref, {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(data->rows(), 1);
}

TEST(DatasetTest, RefusesElementsThatAreNotFinite) {
  const TemporaryDirectory directory;
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    const float elements[] = {0, 1, 2, 3, 4, bad};
    ASSERT_THAT(WriteNpy(directory.File("a.npy"), {DType::kF32, {3, 2}, elements}), IsOk());
    EXPECT_THAT(LoadDataset(Path("a.npy"), {{directory.path()}}),
                StatusIs(StatusCode::kInvalidArgument, "NaN or infinity at row 2, column 1"));
  }
}

TEST(DatasetTest, RefusesArraysThatAreNoRows) {
  const TemporaryDirectory directory;
  const int64_t elements[6] = {};
  const auto load = [&](DType dtype, Shape shape) {
    EXPECT_THAT(WriteNpy(directory.File("a.npy"), {dtype, std::move(shape), elements}), IsOk());
    return LoadDataset(Path("a.npy"), {{directory.path()}}).status();
  };
  EXPECT_THAT(load(DType::kF32, {0, 2}), StatusIs(StatusCode::kInvalidArgument, "holds no rows"));
  EXPECT_THAT(load(DType::kF32, {2, 0}), StatusIs(StatusCode::kInvalidArgument, "holds no rows"));
  EXPECT_THAT(load(DType::kF32, {6}), StatusIs(StatusCode::kInvalidArgument, "shape [6]; expected rows"));
  EXPECT_THAT(load(DType::kF32, {}), StatusIs(StatusCode::kInvalidArgument, "shape []; expected rows"));
}

TEST(DatasetTest, SaysThatItsFileWasChanged) {
  const TemporaryDirectory directory;
  WriteRows(directory, 4);
  const auto data = LoadDataset(Path("a.npy"), {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  const Dataset copy = *data, divided = data->Divided(2, {1});
  EXPECT_THAT(copy.CheckUnchanged(), IsOk());
  WriteRows(directory, 5);  // renamed over it
  EXPECT_THAT(copy.CheckUnchanged(), IsOk());
  const auto again = LoadDataset(Path("a.npy"), {{directory.path()}});
  ASSERT_THAT(again, IsOk());
  const Dataset parts = again->Divided(2, {1});
  std::filesystem::resize_file(directory.File("a.npy"), 130);
  EXPECT_THAT(parts.CheckUnchanged(),
              StatusIs(StatusCode::kFailedPrecondition, "a.npy' was changed while it was read"));
  EXPECT_THAT(divided.CheckUnchanged(), IsOk());
  EXPECT_EQ(parts.rows(), 10);
  EXPECT_THAT(LoadDataset(Path("a.npy"), {{directory.path()}}), StatusIs(StatusCode::kDataLoss, "need 40 bytes"));
}

TEST(DatasetTest, WithRowsInMemoryNeverChanges) {
  const TemporaryDirectory directory;
  const auto data =
      LoadDataset(Path(directory.Write("a.idx", BigEndian(0x802, 4) + BigEndian(1, 4) + BigEndian(2, 4) + "ab")
                           .substr(directory.path().size() + 1)),
                  {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  std::filesystem::resize_file(directory.File("a.idx"), 0);
  EXPECT_THAT(data->CheckUnchanged(), IsOk());
  EXPECT_EQ(static_cast<const char*>(data->row(0).data)[1], 'b');
}

TEST(DatasetTest, TakesWiderTypesOfNumbersAndSaysSo) {
  const TemporaryDirectory directory;
  const int64_t elements[] = {1, -2, 300, 16777216};
  ASSERT_THAT(WriteNpy(directory.File("a.npy"), {DType::kI64, {2, 2}, elements}), IsOk());
  const auto data = LoadDataset(Path("a.npy"), {{directory.path()}});
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(data->dtype(), DType::kF32);
  EXPECT_EQ(static_cast<const float*>(data->row(1).data)[1], 16777216.0f);
  ASSERT_THAT(data->notes(), testing::SizeIs(1));
  EXPECT_THAT(data->notes()[0], testing::HasSubstr("holds elements of type '<i8'; they are read as f32"));
  WriteRows(directory, 3);
  EXPECT_THAT(LoadDataset(Path("a.npy"), {{directory.path()}})->notes(), testing::IsEmpty());
}

TEST(DatasetTest, FollowsLinksThatTheUserNames) {
  const TemporaryDirectory directory;
  WriteRows(directory, 2);
  std::filesystem::create_directories(directory.File("blobs"));
  std::filesystem::create_directories(directory.File("snapshot"));
  std::filesystem::rename(directory.File("a.npy"), directory.File("blobs/0f12"));
  std::filesystem::create_symlink("../blobs/0f12", directory.File("snapshot/a.npy"));
  EXPECT_THAT(LoadDataset(Path("a.npy"), {{directory.File("snapshot")}}),
              StatusIs(StatusCode::kInvalidArgument, "symbolic link"));
  EXPECT_THAT(LoadDataset(Path("a.npy"), {{directory.File("snapshot")}, Links::kFollow}), IsOk());
}

}  // namespace
}  // namespace kwta::dataset_test

#include "core/io/datasets/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/io/arrays/npy.h"
#include "tests/core/io/datasets/dataset_refs.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::dataset_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::Not;
using testing::UnorderedElementsAreArray;

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

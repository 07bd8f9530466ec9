#include "core/io/datasets/dataset_check.h"

#include "core/io/arrays/npy.h"
#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

using absl::StatusCode;

class CheckDatasetTest : public testing::Test {
 protected:
  // What is said of a file or folder, or of a named data set, of which so many rows are held out.
  absl::Status CheckPath(const std::string& path, uint32_t validation_rows = 0) const {
    v1::DatasetRef ref;
    ref.set_path(path);
    ref.set_validation_rows(validation_rows);
    return CheckDataset(ref, {{directory_.path()}}).status();
  }
  static v1::DatasetRef Named(const std::string& name, uint32_t validation_rows, v1::DatasetSplit split) {
    v1::DatasetRef ref;
    ref.set_name(name);
    ref.set_validation_rows(validation_rows);
    ref.set_split(split);
    return ref;
  }
  const TemporaryDirectory directory_;
};

TEST_F(CheckDatasetTest, FindsNamedDataSets) {
  const DatasetOptions data{{KWTA_TEST_DATA "/datasets"}};
  const auto check = [&](uint32_t rows, v1::DatasetSplit split) {
    return CheckDataset(Named("fashion-mnist", rows, split), data);
  };
  EXPECT_THAT(check(1999, v1::DATASET_SPLIT_TRAIN), IsOk());
  EXPECT_THAT(check(2000, v1::DATASET_SPLIT_TRAIN),
              StatusIs(StatusCode::kInvalidArgument,
                       "validation_rows is 2000, but 'fashion-mnist' has 2000 rows; expected at most 1999"));
  EXPECT_THAT(check(2000, v1::DATASET_SPLIT_TEST), IsOk());  // whose rows are all given
  EXPECT_THAT(CheckDataset(Named("cifar10", 0, v1::DATASET_SPLIT_TRAIN), {{directory_.path()}}),
              StatusIs(StatusCode::kNotFound, "the training images of data set 'cifar10' were not found; looked in"));
  EXPECT_THAT(CheckDataset(Named("imagenet", 0, v1::DATASET_SPLIT_TRAIN), {}),
              StatusIs(StatusCode::kNotFound, "unknown data set 'imagenet'"));
}

TEST_F(CheckDatasetTest, CountsTheRowsOfFiles) {
  const std::string bytes(3 * 3073, '\1');
  ASSERT_THAT(WriteNpy(directory_.File("a.npy"), {DType::kU8, {3, 2}, bytes.data()}), IsOk());
  directory_.Write("a.idx", BigEndian(0x802, 4) + BigEndian(3, 4) + BigEndian(2, 4) + "abcdef");
  directory_.Write("a.idx.gz", Gzip(BigEndian(0x802, 4) + BigEndian(3, 4) + BigEndian(2, 4) + "abcdef"));
  directory_.Write("a.bin", bytes);
  for (int i = 1; i <= 5; ++i) directory_.Write(absl::StrCat("c/data_batch_", i, ".bin"), bytes.substr(0, 3073));
  for (const char* path : {"a.npy", "a.idx", "a.idx.gz", "a.bin"}) {
    EXPECT_THAT(CheckPath(path, 2), IsOk());
    EXPECT_THAT(CheckPath(path, 3), StatusIs(StatusCode::kInvalidArgument, "has 3 rows; expected at most 2")) << path;
  }
  EXPECT_THAT(CheckPath("c", 4), IsOk());
  EXPECT_THAT(CheckPath("c", 5), StatusIs(StatusCode::kInvalidArgument, "validation_rows is 5, but 'c' has 5 rows"));
}

TEST_F(CheckDatasetTest, SaysHowManyRowsAreChosen) {
  const DatasetOptions data{{KWTA_TEST_DATA "/datasets"}};
  v1::DatasetRef ref = Named("fashion-mnist", 300, v1::DATASET_SPLIT_TRAIN);
  EXPECT_EQ(CheckDataset(ref, data).value(), 1700);
  ref.set_max_rows(50);
  EXPECT_EQ(CheckDataset(ref, data).value(), 50);
  EXPECT_EQ(CheckDataset(Named("fashion-mnist", 300, v1::DATASET_SPLIT_VALIDATION), data).value(), 300);
  EXPECT_EQ(CheckDataset(Named("fashion-mnist", 300, v1::DATASET_SPLIT_TEST), data).value(), 500);
  directory_.Write("a.npy", "x");
  v1::DatasetRef damaged;
  damaged.set_path("a.npy");
  EXPECT_EQ(CheckDataset(damaged, {{directory_.path()}}).value(), std::nullopt);
}

TEST_F(CheckDatasetTest, CountsPicturesAndRowsOfNorb) {
  directory_.Write("x/a/1.png", "");
  directory_.Write("x/b/1.png", "");
  directory_.Write("n-dat.mat", LittleEndian(0x1E3D4C55, 4) + LittleEndian(4, 4) + LittleEndian(2, 4) +
                                    LittleEndian(1, 4) + LittleEndian(1, 4) + LittleEndian(1, 4) + "ab");
  for (const char* path : {"x/", "n-dat.mat"}) {
    EXPECT_THAT(CheckPath(path, 1), IsOk());
    EXPECT_THAT(CheckPath(path, 2), StatusIs(StatusCode::kInvalidArgument, "has 2 rows; expected at most 1")) << path;
  }
  directory_.Write("y/notes.txt", "");
  EXPECT_THAT(CheckPath("y/"), StatusIs(StatusCode::kInvalidArgument, "holds no data set"));
}

TEST_F(CheckDatasetTest, SaysWhatIsWrongWithFiles) {
  EXPECT_THAT(CheckPath("a.npy"), StatusIs(StatusCode::kNotFound, "data file 'a.npy' was not found; looked in"));
  EXPECT_THAT(CheckPath("photos/"), StatusIs(StatusCode::kNotFound, "'photos/'"));
  EXPECT_THAT(CheckPath("a.csv"), StatusIs(StatusCode::kInvalidArgument, "is of no known kind"));
  EXPECT_THAT(CheckPath("../a.npy"), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  ASSERT_THAT(WriteNpy(directory_.File("flat.npy"), {DType::kU8, {3}, "abc"}), IsOk());
  EXPECT_THAT(CheckPath("flat.npy"),
              StatusIs(StatusCode::kInvalidArgument, "has shape [3]; expected rows of at least"));
  ASSERT_THAT(WriteNpy(directory_.File("none.npy"), {DType::kU8, {0, 3}, ""}), IsOk());
  EXPECT_THAT(CheckPath("none.npy"), StatusIs(StatusCode::kInvalidArgument, "it holds no rows to use"));
  directory_.Write("a.npy", "x");
  EXPECT_THAT(CheckPath("a.npy", 5), IsOk());  // a damaged one is for who reads it
}

}  // namespace
}  // namespace kwta

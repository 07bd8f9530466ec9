#include "core/io/datasets/dataset_summary.h"

#include "core/io/arrays/npy.h"
#include "core/io/arrays/npy_header.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::dataset_summary_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DatasetSummaryTest : public testing::Test {
 protected:
  absl::StatusOr<DatasetSummary> OfPath(const std::string& path, bool test = false) const {
    v1::DatasetRef ref;
    ref.set_path(path);
    if (test) ref.set_split(v1::DATASET_SPLIT_TEST);
    return SummariseDataset(ref, {{directory_.path()}});
  }
  void WriteNorb(const std::string& name, uint32_t rows) const {
    directory_.Write(name, LittleEndian(0x1E3D4C55, 4) + LittleEndian(4, 4) + LittleEndian(rows, 4) +
                               LittleEndian(2, 4) + LittleEndian(3, 4) + LittleEndian(5, 4) +
                               std::string(rows * 30, '\1'));
  }
  const TemporaryDirectory directory_;
};

TEST_F(DatasetSummaryTest, TellsArraysFromTheirHeaders) {
  const std::string bytes(16, '\0');
  ASSERT_THAT(WriteNpy(directory_.File("a.npy"), {DType::kF16, {2, 2, 2}, bytes.data()}), IsOk());
  directory_.Write("a.idx", BigEndian(0x802, 4) + BigEndian(3, 4) + BigEndian(2, 4) + "abcdef");
  const auto npy = OfPath("a.npy"), idx = OfPath("a.idx");
  ASSERT_THAT(npy, IsOk());
  EXPECT_EQ(npy->rows, 2);
  EXPECT_THAT(npy->row_shape, ElementsAre(2, 2));
  EXPECT_EQ(npy->element_type, "f16");
  EXPECT_FALSE(npy->labelled);
  ASSERT_THAT(idx, IsOk());
  EXPECT_EQ(idx->rows, 3);
  EXPECT_THAT(idx->row_shape, ElementsAre(2));
  EXPECT_EQ(idx->element_type, "u8");
}

TEST_F(DatasetSummaryTest, NamesTheTypeThatReadingConverts) {
  const std::string header = FormatNpyHeader("<f8", {2, 1});
  directory_.Write("a.npy", header + std::string(16, '\0'));
  const auto npy = OfPath("a.npy");
  ASSERT_THAT(npy, IsOk());
  EXPECT_EQ(npy->element_type, "<f8");
}

TEST_F(DatasetSummaryTest, KnowsPublishedFolders) {
  const std::string batch(3073 * 2, '\1');
  for (int i = 1; i <= 5; ++i) directory_.Write(absl::StrCat("c/data_batch_", i, ".bin"), batch);
  directory_.Write("c/test_batch.bin", batch.substr(0, 3073));
  WriteNorb("n/x-training-dat.mat", 7);
  WriteNorb("n/x-testing-dat.mat", 4);
  const auto cifar = OfPath("c/"), norb = OfPath("n/"), file = OfPath("n/x-testing-dat.mat");
  ASSERT_THAT(cifar, IsOk());
  EXPECT_EQ(cifar->rows, 10);
  EXPECT_EQ(cifar->classes, 10);
  EXPECT_THAT(cifar->row_shape, ElementsAre(3, 32, 32));
  EXPECT_EQ(OfPath("c/", true)->rows, 1);
  ASSERT_THAT(norb, IsOk());
  EXPECT_EQ(norb->rows, 7);
  EXPECT_TRUE(norb->labelled);
  EXPECT_THAT(norb->row_shape, ElementsAre(2, 3, 5));
  EXPECT_EQ(OfPath("n/", true)->rows, 4);
  EXPECT_EQ(file->rows, 4);
}

TEST_F(DatasetSummaryTest, CountsPicturesWithoutOpeningThem) {
  directory_.Write("x/cat/1.png", "no picture");
  directory_.Write("x/cat/2.jpg", "");
  directory_.Write("x/dog/1.png", "");
  directory_.Write("x/dog/notes.txt", "");
  const auto pictures = OfPath("x/");
  ASSERT_THAT(pictures, IsOk());
  EXPECT_EQ(pictures->rows, 3);
  EXPECT_EQ(pictures->classes, 2);
  EXPECT_THAT(pictures->row_shape, IsEmpty());
  EXPECT_THAT(pictures->notes, ElementsAre(HasSubstr("1 a file that is no picture: 'dog/notes.txt'")));
  EXPECT_THAT(OfPath("x/", true), StatusIs(StatusCode::kInvalidArgument, "has no test rows"));
  directory_.Write("y/readme.txt", "");
  EXPECT_THAT(OfPath("y/"), StatusIs(StatusCode::kInvalidArgument, "holds no data set"));
}

TEST_F(DatasetSummaryTest, SaysWhatIsMissingOrDamaged) {
  directory_.Write("a.npy", "x");
  EXPECT_THAT(OfPath("a.npy"), StatusIs(StatusCode::kDataLoss, "a.npy"));
  EXPECT_THAT(OfPath("b.npy"), StatusIs(StatusCode::kNotFound, "'b.npy' was not found"));
  WriteNorb("n-dat.mat", 1);
  directory_.Write("n-dat.mat", ReadAll(directory_.File("n-dat.mat")).substr(0, 26));
  EXPECT_THAT(OfPath("n-dat.mat"), StatusIs(StatusCode::kDataLoss, "cut short"));
}

TEST_F(DatasetSummaryTest, NamedOnesNeedTheirLabels) {
  v1::DatasetRef mnist;
  mnist.set_name("mnist");
  const auto summary = [&] { return SummariseDataset(mnist, {{directory_.path()}}); };
  directory_.Write("mnist/train-images.idx.gz", Gzip(BigEndian(0x803, 4) + BigEndian(1, 4) + BigEndian(28, 4) +
                                                     BigEndian(28, 4) + std::string(784, '\1')));
  EXPECT_THAT(summary(), StatusIs(StatusCode::kNotFound, "the labels of data set 'mnist' were not found; expected"));
  directory_.Write("mnist/train-labels.idx.gz", "");
  ASSERT_THAT(summary(), IsOk());
  EXPECT_EQ(summary()->rows, 1);
  EXPECT_EQ(summary()->classes, 10);
}

}  // namespace
}  // namespace kwta::dataset_summary_test

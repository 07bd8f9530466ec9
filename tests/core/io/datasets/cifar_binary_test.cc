#include "core/io/datasets/cifar_binary.h"

#include <cstring>

#include "tests/core/io/io_test_util.h"

namespace kwta::cifar_binary_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

// A batch of rows with these labels; pixel j of a row is (label * 31 + j) % 251.
std::string Batch(const std::vector<int>& labels) {
  std::string batch;
  for (const int label : labels) {
    batch.push_back(static_cast<char>(label));
    for (int j = 0; j < 3072; ++j) batch.push_back(static_cast<char>((label * 31 + j) % 251));
  }
  return batch;
}

TEST(CifarBinary, ReadsBatchesInOrder) {
  const TemporaryDirectory directory;
  const auto rows = ReadCifarBatches({directory.Write("a.bin", Batch({3, 9})), directory.Write("b.bin", Batch({0}))});
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(rows->rows.rows, 3);
  EXPECT_EQ(rows->rows.dtype, DType::kU8);
  EXPECT_EQ(rows->row_shape, (Shape{3, 32, 32}));
  EXPECT_THAT(rows->labels, ElementsAre(3, 9, 0));
  const std::string expected = Batch({9});
  EXPECT_EQ(std::memcmp(rows->rows.row(1), expected.data() + 1, 3072), 0);
}

TEST(CifarBinary, RefusesWhatIsNone) {
  const TemporaryDirectory directory;
  const auto read = [&](absl::string_view contents) { return ReadCifarBatches({directory.Write("a.bin", contents)}); };
  EXPECT_THAT(
      read(Batch({1, 2}).substr(0, 6145)),
      StatusIs(StatusCode::kDataLoss, "cut short or no batch of CIFAR-10: it has 6145 bytes, expected a multiple"));
  EXPECT_THAT(read(Batch({1, 10})), StatusIs(StatusCode::kDataLoss, "has label 10 at row 1; expected 0 to 9"));
  EXPECT_THAT(read(""), StatusIs(StatusCode::kInvalidArgument, "is empty"));
  EXPECT_THAT(ReadCifarBatches({directory.File("none.bin")}), StatusIs(StatusCode::kNotFound, "none.bin"));
}

}  // namespace
}  // namespace kwta::cifar_binary_test

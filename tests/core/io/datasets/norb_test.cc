#include "core/io/datasets/norb.h"

#include <cstring>

#include "core/files/files.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::norb_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr uint32_t kBytes = 0x1E3D4C55, kIntegers = 0x1E3D4C54;

// A header: magic number, number of dimensions, and at least three extents.
std::string Header(uint32_t magic, std::vector<uint32_t> extents) {
  std::string header = LittleEndian(magic, 4) + LittleEndian(extents.size(), 4);
  while (extents.size() < 3) extents.push_back(1);
  for (const uint32_t extent : extents) header += LittleEndian(extent, 4);
  return header;
}

std::string Images(uint32_t rows, uint32_t views = 2, uint32_t side = 96) {
  std::string file = Header(kBytes, {rows, views, side, side});
  for (uint32_t j = 0; j < rows * views * side * side; ++j) file.push_back(static_cast<char>(j % 249));
  return file;
}

std::string Categories(const std::vector<int>& labels) {
  std::string file = Header(kIntegers, {static_cast<uint32_t>(labels.size())});
  for (const int label : labels) file += LittleEndian(static_cast<uint32_t>(label), 4);
  return file;
}

class Norb : public testing::Test {
 protected:
  absl::StatusOr<StoredRows> Read(const std::string& name) const {
    return ReadNorb(name, [this](const std::string& file) { return PathWithin(directory_.path(), file); });
  }
  // What there is to say of the images `file`, with labels for two rows beside it.
  absl::Status StatusOfImages(const std::string& file) const {
    directory_.Write("a-cat.mat", Categories({1, 0}));
    directory_.Write("a-dat.mat", file);
    return Read("a-dat.mat").status();
  }

  const TemporaryDirectory directory_;
};

TEST_F(Norb, ReadsImagesAndLabels) {
  directory_.Write("x/smallnorb-training-dat.mat", Images(3));
  directory_.Write("x/smallnorb-training-cat.mat", Categories({4, 0, 2}));
  directory_.Write("x/smallnorb-training-info.mat", Header(kIntegers, {3, 4}) + std::string(48, '\1'));
  const auto rows = Read("x/smallnorb-training-dat.mat");
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(rows->row_shape, (Shape{2, 96, 96}));
  EXPECT_EQ(rows->rows.dtype, DType::kU8);
  EXPECT_THAT(rows->labels, ElementsAre(4, 0, 2));
  EXPECT_EQ(std::memcmp(rows->rows.row(1), Images(3).data() + 24 + 2 * 96 * 96, 2 * 96 * 96), 0);
}

TEST_F(Norb, ReadsCompressedFiles) {
  directory_.Write("a-dat.mat.gz", Gzip(Images(2, 2, 5)));
  directory_.Write("a-cat.mat.gz", Gzip(Categories({1, 3})));
  const auto rows = Read("a-dat.mat.gz");
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(rows->row_shape, (Shape{2, 5, 5}));
  EXPECT_THAT(rows->labels, ElementsAre(1, 3));
}

TEST_F(Norb, RefusesDamagedImages) {
  EXPECT_THAT(StatusOfImages(Images(2, 2, 5)), IsOk());
  EXPECT_THAT(StatusOfImages(""), StatusIs(StatusCode::kDataLoss, "cut short: its first fields need 8 bytes, found 0"));
  EXPECT_THAT(StatusOfImages(Images(2, 2, 5).substr(0, 20)), StatusIs(StatusCode::kDataLoss, "its extents need 16"));
  EXPECT_THAT(StatusOfImages(Images(2, 2, 5).substr(0, 90)),
              StatusIs(StatusCode::kDataLoss, "its elements [2, 2, 5, 5] need 100 bytes, more than a file of this"));
  EXPECT_THAT(StatusOfImages(Gzip(Images(2, 2, 5).substr(0, 123))),
              StatusIs(StatusCode::kDataLoss, "its elements need 100 bytes, found 99"));
  EXPECT_THAT(StatusOfImages(Images(2, 2, 5) + "x"),
              StatusIs(StatusCode::kDataLoss, "goes on after the 100 bytes of its elements"));
  EXPECT_THAT(StatusOfImages(Categories({1, 2})),
              StatusIs(StatusCode::kDataLoss, "it starts with 0x1e3d4c54, expected 0x1e3d4c55"));
  EXPECT_THAT(StatusOfImages(Header(kBytes, {4'000'000'000, 4'000'000'000, 4'000'000'000, 7})),
              StatusIs(StatusCode::kDataLoss, "extents whose product overflows"));
  EXPECT_THAT(StatusOfImages(LittleEndian(kBytes, 4) + LittleEndian(9, 4) + std::string(36, '\1')),
              StatusIs(StatusCode::kDataLoss, "has 9 dimensions; expected 1 to 8"));
  EXPECT_THAT(StatusOfImages(Header(kBytes, {2, 5, 5}) + std::string(50, 'x')),
              StatusIs(StatusCode::kDataLoss, "has shape [2, 5, 5]; expected [rows, views, height, width]"));
  EXPECT_THAT(StatusOfImages(Header(kBytes, {2, 0, 5, 5})),
              StatusIs(StatusCode::kInvalidArgument, "it holds no rows to use"));
}

TEST_F(Norb, RefusesFilesThatDoNotFitEachOther) {
  directory_.Write("a-dat.mat", Images(2, 2, 5));
  EXPECT_THAT(Read("a-dat.mat"), StatusIs(StatusCode::kNotFound, "expected 'a-cat.mat' or with .gz beside it"));
  directory_.Write("a-cat.mat", Categories({1, 2, 3}));
  EXPECT_THAT(Read("a-dat.mat"), StatusIs(StatusCode::kDataLoss, "a-cat.mat' has shape [3], but '"));
  directory_.Write("a-cat.mat", Categories({1, -2}));
  EXPECT_THAT(Read("a-dat.mat"), StatusIs(StatusCode::kDataLoss, "have -2 at row 1; expected 0 to 65535"));
  directory_.Write("a-cat.mat", Header(kIntegers, {2, 2}) + std::string(16, '\0'));
  EXPECT_THAT(Read("a-dat.mat"), StatusIs(StatusCode::kDataLoss, "have shape [2, 2]; expected one for each of 2 rows"));
  directory_.Write("a-cat.mat", Categories({1, 2}));
  directory_.Write("a-info.mat", Header(kIntegers, {3, 4}) + std::string(48, '\0'));
  EXPECT_THAT(Read("a-dat.mat"), StatusIs(StatusCode::kDataLoss, "a-info.mat' has shape [3, 4], but '"));
}

}  // namespace
}  // namespace kwta::norb_test

#include "core/io/datasets/dataset_folder.h"

#include <jpeglib.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/io/datasets/dataset.h"
#include "core/io/images/jpeg.h"
#include "core/io/images/png.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::dataset_folder_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

// An image of one colour; channel c has the value `value` + c.
Image Flat(int64_t channels, int64_t height, int64_t width, int value) {
  Image image{channels, height, width, {}};
  for (int64_t j = 0; j < height * width * channels; ++j) {
    image.pixels.push_back(static_cast<uint8_t>(value + j % channels));
  }
  return image;
}

std::string Png(const Image& image) { return EncodePng(image).value(); }

std::string Jpeg(const Image& image) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = static_cast<int>(image.channels);
  info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> pixels = image.pixels;
  while (info.next_scanline < info.image_height) {
    JSAMPROW line = pixels.data() + info.next_scanline * image.width * image.channels;
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return file;
}

TEST(Jpeg, ReadsGreyAndColour) {
  for (const int64_t channels : {1, 3}) {
    const auto image = DecodeJpeg(Jpeg(Flat(channels, 20, 30, 100)), "a.jpg", 600);
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(image->channels, channels);
    EXPECT_EQ(image->height, 20);
    EXPECT_EQ(image->width, 30);
    for (int64_t j = 0; j < 600 * channels; ++j) EXPECT_NEAR(image->pixels[j], 100 + j % channels, 3);
  }
}

TEST(Jpeg, RefusesDamagedFiles) {
  Image noise = Flat(3, 40, 40, 0);
  for (size_t j = 0; j < noise.pixels.size(); ++j) noise.pixels[j] = static_cast<uint8_t>(j * j % 251);
  const std::string file = Jpeg(noise);
  for (const size_t length : {size_t{0}, size_t{10}, size_t{200}, file.size() / 2, file.size() - 2}) {
    EXPECT_THAT(DecodeJpeg(file.substr(0, length), "a.jpg", 1600),
                StatusIs(StatusCode::kDataLoss, "'a.jpg' is not a JPEG file, or a damaged one: "))
        << length;
  }
  EXPECT_THAT(DecodeJpeg("hello, world", "a.jpg", 1600), StatusIs(StatusCode::kDataLoss, "Not a JPEG file"));
  EXPECT_THAT(DecodeJpeg(file, "a.jpg", 1599), StatusIs(StatusCode::kInvalidArgument, "40 x 40 pixels; at most 1599"));
}

class DatasetFolder : public testing::Test {
 protected:
  absl::StatusOr<StoredRows> Read(const std::string& folder, bool test = false) const {
    return ReadDatasetFolder(directory_.path(), folder, test);
  }
  const TemporaryDirectory directory_;
};

TEST_F(DatasetFolder, OfImagesHasAClassAFolder) {
  directory_.Write("pets/dog/b.png", Png(Flat(3, 4, 5, 20)));
  directory_.Write("pets/dog/a.PNG", Png(Flat(3, 4, 5, 10)));
  directory_.Write("pets/cat/z.jpg", Jpeg(Flat(3, 4, 5, 200)));
  directory_.Write("pets/cat/.hidden.png", "x");
  directory_.Write("pets/cat/notes.txt", "x");
  directory_.Write("pets/README", "x");
  const auto rows = Read("pets");
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(rows->row_shape, (Shape{3, 4, 5}));
  EXPECT_THAT(rows->labels, ElementsAre(0, 1, 1));  // cat, dog, dog
  const uint8_t* first = static_cast<const uint8_t*>(rows->rows.row(0));
  const uint8_t* second = static_cast<const uint8_t*>(rows->rows.row(1));
  EXPECT_NEAR(first[0], 200, 3);
  EXPECT_EQ(second[0], 10);  // a.PNG, plane by plane
  EXPECT_EQ(second[19], 10);
  EXPECT_EQ(second[20], 11);
  EXPECT_EQ(second[59], 12);
  EXPECT_EQ(static_cast<const uint8_t*>(rows->rows.row(2))[0], 20);
  EXPECT_THAT(rows->notes,
              ElementsAre("left out of folder 'pets': 2 a file that is no picture: 'README', ...; 1 hidden, "
                          "or of an operating system: 'cat/.hidden.png'"));
}

TEST_F(DatasetFolder, OfImagesRefusesMixedOnes) {
  directory_.Write("a/x/1.png", Png(Flat(1, 4, 5, 20)));
  directory_.Write("a/y/2.png", Png(Flat(1, 4, 6, 20)));
  EXPECT_THAT(Read("a"), StatusIs(StatusCode::kInvalidArgument,
                                  "'y/2.png' has 4 x 6 grey pixels, but 'x/1.png' has 4 x 5 grey pixels; all images"));
  directory_.Write("a/y/2.png", Png(Flat(3, 4, 5, 20)));
  EXPECT_THAT(Read("a"), StatusIs(StatusCode::kInvalidArgument, "has 4 x 5 RGB pixels, but"));
  directory_.Write("a/y/2.png", Jpeg(Flat(1, 4, 5, 20)));
  EXPECT_THAT(Read("a"), StatusIs(StatusCode::kDataLoss, "'y/2.png' is not a PNG file"));
}

TEST_F(DatasetFolder, WithoutADataSetSaysWhatIsExpected) {
  directory_.Write("a/README", "x");
  EXPECT_THAT(Read("a"), StatusIs(StatusCode::kInvalidArgument, "holds no data set; expected a folder of .png, .jpg"));
  EXPECT_THAT(Read("a", /*test=*/true), StatusIs(StatusCode::kInvalidArgument, "has no test rows"));
  EXPECT_THAT(Read("none"), StatusIs(StatusCode::kNotFound, "none"));
  EXPECT_THAT(Read("a/README"), StatusIs(StatusCode::kNotFound, "README"));
}

TEST_F(DatasetFolder, StaysBelowTheDirectory) {
  directory_.Write("secret/1.png", Png(Flat(1, 4, 5, 20)));
  directory_.Write("root/a/x/1.png", Png(Flat(1, 4, 5, 20)));
  const std::string root = directory_.File("root");
  ASSERT_THAT(ReadDatasetFolder(root, "a", false), IsOk());
  EXPECT_THAT(ReadDatasetFolder(root, "../secret", false), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  std::filesystem::create_symlink(directory_.File("secret"), root + "/a/y");  // a class
  EXPECT_THAT(ReadDatasetFolder(root, "a", false), StatusIs(StatusCode::kInvalidArgument, "through a symbolic link"));
  std::filesystem::remove(root + "/a/y");
  std::filesystem::create_symlink(directory_.File("secret/1.png"), root + "/a/x/2.png");  // an image
  EXPECT_THAT(ReadDatasetFolder(root, "a", false), StatusIs(StatusCode::kInvalidArgument, "through a symbolic link"));
  std::filesystem::create_symlink(directory_.File("secret"), root + "/b");  // the folder
  EXPECT_THAT(ReadDatasetFolder(root, "b", false), StatusIs(StatusCode::kInvalidArgument, "through a symbolic link"));
  directory_.Write("root/c/data_batch_1.bin", std::string(3073, '\1'));
  std::filesystem::create_symlink(directory_.File("secret/1.png"), root + "/c/test_batch.bin");
  EXPECT_THAT(ReadDatasetFolder(root, "c", true), StatusIs(StatusCode::kInvalidArgument, "through a symbolic link"));
}

TEST_F(DatasetFolder, OfCifarBatchesHasTwoParts) {
  for (int i = 1; i <= 5; ++i) {
    directory_.Write(absl::StrCat("c/data_batch_", i, ".bin"), std::string(3073, static_cast<char>(i)));
  }
  directory_.Write("c/test_batch.bin", std::string(2 * 3073, '\7'));
  EXPECT_THAT(Read("c")->labels, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(Read("c", /*test=*/true)->labels, ElementsAre(7, 7));
  EXPECT_TRUE(HoldsPublishedFiles(directory_.File("c")));
  EXPECT_FALSE(HoldsPublishedFiles(directory_.path()));
  std::filesystem::remove(directory_.File("c/data_batch_3.bin"));
  EXPECT_THAT(Read("c"), StatusIs(StatusCode::kNotFound, "data_batch_3.bin"));
}

TEST_F(DatasetFolder, OfNorbFilesHasTwoParts) {
  const auto write = [&](const std::string& part, int label) {
    const std::string prefix = absl::StrCat("n/smallnorb-5x46789x9x18x6x2x96x96-", part);
    directory_.Write(prefix + "-dat.mat", LittleEndian(0x1E3D4C55, 4) + LittleEndian(4, 4) + LittleEndian(1, 4) +
                                              LittleEndian(2, 4) + LittleEndian(1, 4) + LittleEndian(1, 4) + "ab");
    directory_.Write(prefix + "-cat.mat", LittleEndian(0x1E3D4C54, 4) + LittleEndian(1, 4) + LittleEndian(1, 4) +
                                              LittleEndian(1, 4) + LittleEndian(1, 4) + LittleEndian(label, 4));
  };
  write("training", 3);
  EXPECT_THAT(Read("n")->labels, ElementsAre(3));
  EXPECT_THAT(Read("n", /*test=*/true),
              StatusIs(StatusCode::kInvalidArgument, "has 0 files of NORB images whose name contains 'testing'"));
  write("testing", 4);
  EXPECT_THAT(Read("n", /*test=*/true)->labels, ElementsAre(4));
  EXPECT_EQ(Read("n")->row_shape, (Shape{2, 1, 1}));
  write("training-too", 4);
  EXPECT_THAT(Read("n"), StatusIs(StatusCode::kInvalidArgument, "has 2 files of NORB images"));
}

}  // namespace
}  // namespace kwta::dataset_folder_test

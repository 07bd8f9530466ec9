#include "core/io/images/class_folders.h"

#include <filesystem>

#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClassFoldersTest : public testing::Test {
 protected:
  absl::StatusOr<ClassFolders> List(const std::string& folder = "x/") const {
    return ListClassFolders(directory_.path(), folder, Links::kStayBelow);
  }
  static std::vector<std::string> Names(const ClassFolders& folders) {
    std::vector<std::string> names;
    for (const ClassPicture& picture : folders.pictures)
      names.push_back(absl::StrCat(picture.label, " ", picture.name));
    return names;
  }
  const TemporaryDirectory directory_;
};

TEST_F(ClassFoldersTest, SayNothingIfEverythingIsTaken) {
  directory_.Write("x/dog/1.png", "");
  directory_.Write("x/cat/2.JPG", "");
  directory_.Write("x/cat/1.jpeg", "");
  directory_.Write("x/cat/3.WebP", "");
  directory_.Write("x/cat/4.bmp", "");
  const auto found = List();
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(Names(*found), ElementsAre("0 cat/1.jpeg", "0 cat/2.JPG", "0 cat/3.WebP", "0 cat/4.bmp", "1 dog/1.png"));
  EXPECT_THAT(found->left_out, IsEmpty());
}

TEST_F(ClassFoldersTest, LeaveOutWhatOperatingSystemsMake) {
  directory_.Write("x/dog/1.png", "");
  directory_.Write("x/dog/Thumbs.db", "");
  directory_.Write("x/dog/._1.png", "");
  directory_.Write("x/dog/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "");
  directory_.Write("x/__MACOSX/dog/._1.png", "");
  directory_.Write("x/__macosx/1.png", "");
  directory_.Write("x/$RECYCLE.BIN/$R1.png", "");
  directory_.Write("x/@eaDir/1.png", "");
  directory_.Write("x/.git/1.png", "");
  directory_.Write("x/desktop.ini", "");
  std::filesystem::create_directory(directory_.File("x/lost+found"));
  const auto found = List();
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(Names(*found), ElementsAre("0 dog/1.png"));
  EXPECT_EQ(found->left_out, "left out of folder 'x/': 10 hidden, or of an operating system: '$RECYCLE.BIN', ...");
}

TEST_F(ClassFoldersTest, SayAndCountWhatIsLeftOut) {
  directory_.Write("x/a/1.png", "");
  directory_.Write("x/a/2.gif", "");
  directory_.Write("x/a/3.TIFF", "");
  directory_.Write("x/a/notes.txt", "");
  directory_.Write("x/a/more/4.png", "");
  directory_.Write("x/docs/readme.txt", "");
  directory_.Write("x/cover.png", "");
  directory_.Write("x/LICENSE", "");
  std::filesystem::create_directory(directory_.File("x/empty"));
  const auto found = List();
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(Names(*found), ElementsAre("0 a/1.png"));
  EXPECT_EQ(
      found->left_out,
      "left out of folder 'x/': 2 of a kind of picture that is not read (expected .png, .jpg, .jpeg, .webp or .bmp): "
      "'a/2.gif', ...; 1 a folder with pictures below a class's own folder: 'a/more'; 1 a picture outside of the "
      "classes' "
      "folders: 'cover.png'; 2 a folder without pictures, which is no class: 'docs', ...; 2 a file that is no "
      "picture: 'LICENSE', ...");
}

TEST_F(ClassFoldersTest, AreRefusedIfAClassWouldVanish) {
  directory_.Write("x/a/1.png", "");
  directory_.Write("x/b/1.tif", "");
  EXPECT_THAT(List(), StatusIs(StatusCode::kInvalidArgument,
                               "class 'b' of folder 'x/' has pictures only of kinds that are not read ('b/1.tif')"));
  std::filesystem::remove(directory_.File("x/b/1.tif"));
  directory_.Write("x/b/part1/deep/1.png", "");
  EXPECT_THAT(List(), StatusIs(StatusCode::kInvalidArgument,
                               "class 'b' of folder 'x/' has its pictures in folders further down ('b/part1')"));
}

TEST_F(ClassFoldersTest, AreRefusedWithoutAnyPictureAndSayWhatIsThere) {
  directory_.Write("x/1.png", "");
  directory_.Write("x/2.png", "");
  const auto found = List();
  EXPECT_THAT(found, StatusIs(StatusCode::kInvalidArgument, "holds no data set; expected a folder of .png, .jpg"));
  EXPECT_THAT(std::string(found.status().message()),
              HasSubstr("2 a picture outside of the classes' folders: '1.png', ..."));
}

TEST_F(ClassFoldersTest, AreCountedAsTheyAreListed) {
  directory_.Write("x/a/1.png", "");
  directory_.Write("x/a/2.jpg", "");
  directory_.Write("x/b/1.png", "");
  directory_.Write("x/cover.png", "");
  const auto counts = CountClassFolders(directory_.path(), "x/", Links::kStayBelow);
  ASSERT_THAT(counts, IsOk());
  EXPECT_EQ(counts->pictures, 3);
  EXPECT_EQ(counts->classes, 2);
  EXPECT_EQ(counts->left_out, List()->left_out);
  EXPECT_THAT(counts->left_out, HasSubstr("'cover.png'"));
}

TEST_F(ClassFoldersTest, MayBeTheRootItself) {
  directory_.Write("a/1.png", "");
  for (const char* folder : {"./", "."}) EXPECT_THAT(Names(List(folder).value()), ElementsAre("0 a/1.png"));
}

}  // namespace
}  // namespace kwta

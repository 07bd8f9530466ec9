#include "core/files/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tests/core/io/io_test_util.h"

namespace kwta::files_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(FileErrorTest, MapsWhatTheSystemReports) {
  EXPECT_THAT(FileError(ENOENT, "open", "/a"), StatusIs(StatusCode::kNotFound, "cannot open '/a': No such file"));
  for (int error : {EACCES, EPERM, EROFS}) {
    EXPECT_THAT(FileError(error, "write", "/a"), StatusIs(StatusCode::kPermissionDenied, "cannot write '/a'"));
  }
  for (int error : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_THAT(FileError(error, "write", "/a"), StatusIs(StatusCode::kResourceExhausted, "free some space"));
  }
  EXPECT_THAT(FileError(EFBIG, "write", "/a"), StatusIs(StatusCode::kResourceExhausted, "ulimit -f"));
  for (int error : {EISDIR, ELOOP, ENAMETOOLONG}) {
    EXPECT_THAT(FileError(error, "open", "/a"), StatusIs(StatusCode::kInvalidArgument, "cannot open '/a'"));
  }
  EXPECT_THAT(FileError(EEXIST, "write", "/a"), StatusIs(StatusCode::kAlreadyExists, "File exists"));
  EXPECT_THAT(FileError(EIO, "read", "/a"), StatusIs(StatusCode::kUnavailable, "Input/output error"));
}

TEST(FileErrorTest, AFullDeviceIsResourceExhausted) {
  const int full = open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "no /dev/full here";
  ASSERT_LT(write(full, "x", 1), 0);
  EXPECT_THAT(FileError(errno, "write", "/dev/full"), StatusIs(StatusCode::kResourceExhausted, "No space left"));
  close(full);
}

TEST(ReadFileTest, ReadsUpToTheLimit) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", absl::string_view("12\0004", 4));
  const auto contents = ReadFile(path, 4);
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(*contents, std::string("12\0004", 4));
  EXPECT_THAT(ReadFile(path, 3), StatusIs(StatusCode::kInvalidArgument, "has 4 bytes; at most 3"));
}

TEST(ReadFileTest, RefusesWhatIsNoFile) {
  const TemporaryDirectory directory;
  EXPECT_THAT(ReadFile(directory.File("none"), 10), StatusIs(StatusCode::kNotFound, "none"));
  EXPECT_THAT(ReadFile(directory.path(), 10), StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
  // Opening a pipe that nobody writes must not wait.
  ASSERT_EQ(mkfifo(directory.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(ReadFile(directory.File("pipe"), 10), StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
}

TEST(InputFileTest, ReadingPastTheEndIsDataLoss) {
  const TemporaryDirectory directory;
  const auto file = InputFile::Open(directory.Write("a", "12345"));
  ASSERT_THAT(file, IsOk());
  char out[3] = {};
  ASSERT_THAT(file->ReadAt(2, out, 3), IsOk());
  EXPECT_EQ(std::string(out, 3), "345");
  EXPECT_THAT(file->ReadAt(3, out, 3), StatusIs(StatusCode::kDataLoss, "ended while it was read"));
}

TEST(InputFileTest, KnowsThatItsFileChanged) {
  const TemporaryDirectory directory;
  const auto open = [&] { return InputFile::Open(directory.Write("a", "12345")).value(); };
  const InputFile rewritten = open();
  EXPECT_THAT(rewritten.CheckUnchanged(), IsOk());
  SetLater(directory.Write("a", "54321"));
  EXPECT_THAT(rewritten.CheckUnchanged(),
              StatusIs(StatusCode::kFailedPrecondition, "a' was changed while it was read (it was written to)"));
  const InputFile cut = open();
  std::filesystem::resize_file(directory.File("a"), 2);
  EXPECT_THAT(cut.CheckUnchanged(), StatusIs(StatusCode::kFailedPrecondition, "(2 bytes, 5 at first)"));
  char out[5];
  EXPECT_THAT(cut.ReadAt(0, out, 5), StatusIs(StatusCode::kFailedPrecondition, "was changed while it was read"));

  const InputFile replaced = open();
  std::filesystem::rename(directory.Write("b", "other"), directory.File("a"));
  EXPECT_THAT(replaced.CheckUnchanged(), IsOk());
  ASSERT_THAT(replaced.ReadAt(0, out, 5), IsOk());
  EXPECT_EQ(std::string(out, 5), "12345");
}

TEST(AtomicFileWriterTest, NothingIsSeenBeforeCommit) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  {
    auto writer = AtomicFileWriter::Create(path);
    ASSERT_THAT(writer, IsOk());
    ASSERT_THAT(writer->Write("new"), IsOk());
    EXPECT_EQ(ReadAll(path), "old");
  }
  EXPECT_EQ(ReadAll(path), "old");
  EXPECT_THAT(directory.List(), ElementsAre("a"));

  ASSERT_THAT(WriteFileAtomically(path, "new"), IsOk());
  EXPECT_EQ(ReadAll(path), "new");
  EXPECT_THAT(directory.List(), ElementsAre("a"));
}

TEST(AtomicFileWriterTest, TwoWritersOfOneFileDoNotMix) {
  const TemporaryDirectory directory;
  auto first = AtomicFileWriter::Create(directory.File("a"));
  auto second = AtomicFileWriter::Create(directory.File("a"));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  ASSERT_THAT(first->Write("first"), IsOk());
  ASSERT_THAT(second->Write("second"), IsOk());
  ASSERT_THAT(second->Commit(), IsOk());
  ASSERT_THAT(first->Commit(), IsOk());
  EXPECT_EQ(ReadAll(directory.File("a")), "first");
  EXPECT_THAT(directory.List(), ElementsAre("a"));
}

TEST(AtomicFileWriterTest, AFullDiskLeavesTheOldFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  const FileSizeLimit limit(1000);
  EXPECT_THAT(WriteFileAtomically(path, std::string(5000, 'x')), StatusIs(StatusCode::kResourceExhausted, path));
  EXPECT_EQ(ReadAll(path), "old");
  EXPECT_THAT(directory.List(), ElementsAre("a"));
}

TEST(AtomicFileWriterTest, SaysWhyItCannotWrite) {
  const TemporaryDirectory directory;
  EXPECT_THAT(WriteFileAtomically(directory.File("none/a"), "x"), StatusIs(StatusCode::kNotFound, "none/a"));
  EXPECT_THAT(WriteFileAtomically(directory.path() + "/", "x"),
              StatusIs(StatusCode::kInvalidArgument, "names no file"));
  std::filesystem::create_directory(directory.File("folder"));
  EXPECT_THAT(WriteFileAtomically(directory.File("folder"), "x"),
              StatusIs(StatusCode::kInvalidArgument, "Is a directory"));
  EXPECT_THAT(directory.List(), ElementsAre("folder"));
}

TEST(AtomicFileWriterTest, RefusedInAnUnwritableDirectory) {
  const TemporaryDirectory directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0555), 0);
  const OrdinaryUser user;
  if (!user.active()) GTEST_SKIP() << "cannot become a user who may not write everywhere";
  EXPECT_THAT(WriteFileAtomically(directory.File("a"), "x"), StatusIs(StatusCode::kPermissionDenied, "cannot write"));
}

TEST(RenameDirectoryTest, NeverReplaces) {
  const TemporaryDirectory directory;
  const auto temporary = MakeTemporarySibling(directory.File("a"));
  ASSERT_THAT(temporary, IsOk());
  std::filesystem::create_directory(directory.File("a"));  // Empty: plain rename would replace it.
  EXPECT_THAT(RenameDirectory(*temporary, directory.File("a")), StatusIs(StatusCode::kAlreadyExists, "/a'"));
  ASSERT_THAT(RenameDirectory(*temporary, directory.File("b")), IsOk());
  EXPECT_THAT(directory.List(), ElementsAre("a", "b"));
}

TEST(RemoveAllTest, RemovesTreesAndToleratesNothing) {
  const TemporaryDirectory directory;
  directory.Write("a/b/c", "x");
  EXPECT_THAT(RemoveAll(directory.File("a")), IsOk());
  EXPECT_THAT(RemoveAll(directory.File("a")), IsOk());
  EXPECT_THAT(directory.List(), IsEmpty());
}

TEST(PathWithinTest, FindsFilesBelowTheRoot) {
  const TemporaryDirectory directory;
  const std::string path = std::filesystem::canonical(directory.Write("root/sub/a.npy", "x")).string();
  const std::string root = directory.File("root");
  for (const char* relative : {"sub/a.npy", "./sub//a.npy", "link"}) {
    if (std::string(relative) == "link") std::filesystem::create_symlink("sub/a.npy", root + "/link");
    const auto found = PathWithin(root, relative);
    ASSERT_THAT(found, IsOk());
    EXPECT_EQ(*found, path);
  }
}

TEST(PathWithinTest, FindsTheRootItself) {
  const TemporaryDirectory directory;
  for (const char* relative : {".", "./", "././"}) {
    const auto found = PathWithin(directory.path(), relative);
    ASSERT_THAT(found, IsOk()) << relative;
    EXPECT_EQ(*found, std::filesystem::canonical(directory.path()).string());
  }
}

TEST(PathWithinTest, FollowsLinksWhereTheyMayLeadOut) {
  const TemporaryDirectory directory;
  const std::string path = std::filesystem::canonical(directory.Write("blobs/1", "x")).string();
  std::filesystem::create_directory(directory.File("root"));
  std::filesystem::create_symlink("../blobs/1", directory.File("root/a.npy"));
  EXPECT_EQ(PathWithin(directory.File("root"), "a.npy", Links::kFollow).value(), path);
  EXPECT_THAT(PathWithin(directory.File("root"), "../blobs/1", Links::kFollow),
              StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
}

TEST(PathWithinTest, RefusesToLeaveTheRoot) {
  const TemporaryDirectory directory;
  directory.Write("secret", "x");
  directory.Write("root-2/secret", "x");
  directory.Write("root/a", "x");
  const std::string root = directory.File("root");
  std::filesystem::create_symlink("../secret", root + "/file");
  std::filesystem::create_directory_symlink("..", root + "/folder");
  // A sibling whose name begins with the root's is not inside it.
  std::filesystem::create_directory_symlink("../root-2", root + "/sibling");

  EXPECT_THAT(PathWithin(root, ""), StatusIs(StatusCode::kInvalidArgument, "empty"));
  EXPECT_THAT(PathWithin(root, "/etc/passwd"), StatusIs(StatusCode::kInvalidArgument, "is absolute"));
  EXPECT_THAT(PathWithin(root, "../secret"), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  EXPECT_THAT(PathWithin(root, "a/.."), StatusIs(StatusCode::kInvalidArgument, "contains '..'"));
  EXPECT_THAT(PathWithin(root, absl::string_view("a\0b", 3)),
              StatusIs(StatusCode::kInvalidArgument, "a\\x00\\x62' contains a NUL"));
  for (const char* relative : {"file", "folder/secret", "sibling/secret"}) {
    EXPECT_THAT(PathWithin(root, relative), StatusIs(StatusCode::kInvalidArgument, "symbolic link"));
  }
  EXPECT_THAT(PathWithin(root, "none"), StatusIs(StatusCode::kNotFound, "root/none"));
  EXPECT_THAT(PathWithin(directory.File("no-root"), "a"), StatusIs(StatusCode::kNotFound, "no-root"));
  EXPECT_THAT(PathWithin(root, "..a"), StatusIs(StatusCode::kNotFound, "..a"));  // Only a name.
}

}  // namespace
}  // namespace kwta::files_test

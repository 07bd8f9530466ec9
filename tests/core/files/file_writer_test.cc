// What AtomicFileWriter leaves as it was: links, modes, and what is no file.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/files/files.h"
#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

mode_t ModeOf(const std::string& path) {
  struct stat about = {};
  EXPECT_EQ(lstat(path.c_str(), &about), 0) << path;
  return about.st_mode & 07777;
}

TEST(FileWriterTest, WritesThroughLinks) {
  const TemporaryDirectory directory;
  directory.Write("blobs/1234", "old");
  std::filesystem::create_directory(directory.File("snapshot"));
  std::filesystem::create_symlink("../blobs/1234", directory.File("snapshot/a"));
  std::filesystem::create_symlink("snapshot/a", directory.File("b"));
  ASSERT_THAT(WriteFileAtomically(directory.File("b"), "new"), IsOk());
  EXPECT_EQ(ReadAll(directory.File("blobs/1234")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory.File("b")));
  EXPECT_TRUE(std::filesystem::is_symlink(directory.File("snapshot/a")));
  EXPECT_THAT(directory.List(), ElementsAre("b", "blobs", "snapshot"));
}

TEST(FileWriterTest, ALinkToNothingGetsItsFile) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("later", directory.File("a"));
  ASSERT_THAT(WriteFileAtomically(directory.File("a"), "new"), IsOk());
  EXPECT_EQ(ReadAll(directory.File("later")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory.File("a")));
}

TEST(FileWriterTest, LinksInARingAreRefused) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("b", directory.File("a"));
  std::filesystem::create_symlink("a", directory.File("b"));
  EXPECT_THAT(WriteFileAtomically(directory.File("a"), "x"), StatusIs(StatusCode::kInvalidArgument, "symbolic links"));
  EXPECT_THAT(FollowLinks(directory.File("a")), StatusIs(StatusCode::kInvalidArgument, "symbolic links"));
}

TEST(FileWriterTest, AReplacedFileKeepsItsMode) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  for (const mode_t mode : {0600u, 0640u, 0666u, 0755u}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    ASSERT_THAT(WriteFileAtomically(path, "new"), IsOk());
    EXPECT_EQ(ModeOf(path), mode);
  }
}

TEST(FileWriterTest, AReplacedFileKeepsItsOwner) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  constexpr uid_t kNobody = 65534;
  if (chown(path.c_str(), kNobody, kNobody) != 0) GTEST_SKIP() << "files cannot be given away here";
  ASSERT_THAT(WriteFileAtomically(path, "new"), IsOk());
  struct stat about = {};
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_uid, kNobody);
  EXPECT_EQ(about.st_gid, kNobody);
}

TEST(FileWriterTest, ANewFileGetsTheModeAskedFor) {
  const TemporaryDirectory directory;
  const mode_t before = umask(022);
  ASSERT_THAT(WriteFileAtomically(directory.File("open"), "x"), IsOk());
  ASSERT_THAT(WriteFileAtomically(directory.File("closed"), "x", 0600), IsOk());
  umask(before);
  EXPECT_EQ(ModeOf(directory.File("open")), 0644u);
  EXPECT_EQ(ModeOf(directory.File("closed")), 0600u);
}

TEST(FileWriterTest, WhatIsNoFileIsNotReplaced) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkfifo(directory.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(WriteFileAtomically(directory.File("pipe"), "x"),
              StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
  EXPECT_THAT(WriteFileAtomically("/dev/null", "x"), StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
  EXPECT_TRUE(std::filesystem::is_fifo(directory.File("pipe")));
}

TEST(FileWriterTest, TheLongestNamesCanBeWritten) {
  const TemporaryDirectory directory;
  EXPECT_THAT(WriteFileAtomically(directory.File(std::string(255, 'a')), "x"), IsOk());
  EXPECT_THAT(WriteFileAtomically(directory.File(std::string(256, 'a')), "x"),
              StatusIs(StatusCode::kInvalidArgument, "too long"));
}

TEST(CheckCanWriteTest, LooksWithoutChangingAnything) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "old");
  EXPECT_THAT(CheckCanWrite(path), IsOk());
  EXPECT_THAT(CheckCanWrite(directory.File("new")), IsOk());
  EXPECT_THAT(CheckCanWrite(directory.File("none/a")), StatusIs(StatusCode::kNotFound, "none/a"));
  EXPECT_THAT(CheckCanWrite(directory.path()), StatusIs(StatusCode::kInvalidArgument, "directory"));
  EXPECT_EQ(ReadAll(path), "old");
  EXPECT_THAT(directory.List(), ElementsAre("a"));
}

}  // namespace
}  // namespace kwta

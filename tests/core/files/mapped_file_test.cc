#include "core/files/mapped_file.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "tests/core/io/io_test_util.h"

namespace kwta {
namespace {

using absl::StatusCode;

TEST(MappedFileTest, MapsContents) {
  const TemporaryDirectory directory;
  auto mapped = MappedFile::Open(directory.Write("a", "hello"));
  ASSERT_THAT(mapped, IsOk());
  const MappedFile moved = std::move(*mapped);
  EXPECT_EQ(std::string(moved.data(), moved.size()), "hello");

  const auto empty = MappedFile::Open(directory.Write("empty", ""));
  ASSERT_THAT(empty, IsOk());
  EXPECT_EQ(empty->size(), 0u);
  EXPECT_EQ(empty->data(), nullptr);
}

TEST(MappedFileTest, KnowsThatItsFileWasRewritten) {
  const TemporaryDirectory directory;
  const auto mapped = MappedFile::Open(directory.Write("a", "hello"));
  ASSERT_THAT(mapped, IsOk());
  EXPECT_THAT(mapped->CheckUnchanged(), IsOk());
  SetLater(directory.Write("a", "HELLO"));
  EXPECT_THAT(mapped->CheckUnchanged(), StatusIs(StatusCode::kFailedPrecondition, "a' was changed"));
}

TEST(MappedFileTest, OfAReplacedOrRemovedFileStaysAsItWas) {
  const TemporaryDirectory directory;
  const auto mapped = MappedFile::Open(directory.Write("a", "hello"));
  ASSERT_THAT(mapped, IsOk());
  std::filesystem::rename(directory.Write("b", "other"), directory.File("a"));
  std::filesystem::remove(directory.File("a"));
  EXPECT_THAT(mapped->CheckUnchanged(), IsOk());
  EXPECT_EQ(std::string(mapped->data(), mapped->size()), "hello");
}

TEST(MappedFileTest, OfAFileCutShortShowsZerosAndSaysSo) {
  const TemporaryDirectory directory;
  const size_t page = static_cast<size_t>(getpagesize());
  for (const size_t left : {size_t{0}, size_t{100}, page, 3 * page + 1}) {
    const std::string path = directory.Write("a", std::string(10 * page + 7, 'x'));
    const auto other = MappedFile::Open(directory.Write("other", std::string(3 * page, 'y')));
    const auto mapped = MappedFile::Open(path);
    ASSERT_THAT(mapped, IsOk());
    EXPECT_EQ(mapped->data()[9 * page], 'x');
    std::filesystem::resize_file(path, left);
    for (size_t i = 0; i < mapped->size(); i += page) {
      EXPECT_EQ(mapped->data()[i], i < left ? 'x' : '\0') << left << " " << i;
    }
    EXPECT_THAT(mapped->CheckUnchanged(), StatusIs(StatusCode::kFailedPrecondition, "a' was changed"));
    EXPECT_EQ(std::count(other->data(), other->data() + other->size(), 'y'), static_cast<int64_t>(3 * page));
    EXPECT_THAT(other->CheckUnchanged(), IsOk());
  }
}

TEST(MappedFileTest, RemembersThatAPartCouldNotBeRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("a", "hello"), contents = "hello";
  const auto mapped = MappedFile::Open(path);
  ASSERT_THAT(mapped, IsOk());
  const auto time = std::filesystem::last_write_time(path);
  std::filesystem::resize_file(path, 0);
  EXPECT_EQ(mapped->data()[0], '\0');
  directory.Write("a", contents);
  std::filesystem::last_write_time(path, time);
  EXPECT_THAT(mapped->CheckUnchanged(), StatusIs(StatusCode::kDataLoss, "a part of '"));
}

TEST(MappedFileTest, ManyAtATimeKeepApart) {
  const TemporaryDirectory directory;
  const size_t page = static_cast<size_t>(getpagesize());
  std::vector<MappedFile> files;
  for (int i = 0; i < 100; ++i) {
    files.push_back(MappedFile::Open(directory.Write(absl::StrCat(i), std::string(2 * page, 'x'))).value());
  }
  files.erase(files.begin() + 10, files.begin() + 20);
  std::filesystem::resize_file(directory.File("50"), 0);
  int changed = 0;
  for (const MappedFile& file : files) {
    EXPECT_EQ(file.data()[page], file.CheckUnchanged().ok() ? 'x' : '\0');
    changed += !file.CheckUnchanged().ok();
  }
  EXPECT_EQ(changed, 1);
}

TEST(MappedFileDeathTest, LeavesOtherFaultsToWhatWouldHaveHappened) {
  const TemporaryDirectory directory;
  ASSERT_THAT(MappedFile::Open(directory.Write("a", "hello")), IsOk());
  EXPECT_DEATH(std::raise(SIGBUS), "");  // a sanitizer's handler ends it in its own way
}

}  // namespace
}  // namespace kwta

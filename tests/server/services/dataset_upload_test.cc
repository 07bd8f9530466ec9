#include "server/services/dataset_upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/files/sha256.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// An idx file of bytes, [rows, 3].
std::string Idx(uint8_t rows, char fill) {
  std::string file("\0\0\x08\x02\0\0\0", 7);
  file += static_cast<char>(rows);
  file += std::string("\0\0\0\x03", 4);
  return file + std::string(size_t{3} * rows, fill);
}

std::string Hash(const std::string& bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.Finish();
}

class DatasetUploadTest : public ::testing::Test {
 protected:
  static v1::UploadDatasetHeader Header(const std::string& path, const std::string& content) {
    v1::UploadDatasetHeader header;
    header.set_path(path);
    header.set_bytes(content.size());
    header.set_sha256(Hash(content));
    return header;
  }

  absl::StatusOr<v1::UploadDatasetResponse> Upload(const v1::UploadDatasetHeader& header, const std::string& content) {
    auto upload = DatasetUpload::Begin(header, directory_.path(), /*max_bytes=*/1000);
    if (!upload.ok()) return upload.status();
    const size_t half = content.size() / 2;
    for (const std::string& part : {content.substr(0, half), content.substr(half)}) {
      const absl::Status status = (*upload)->Append(part);
      if (!status.ok()) return status;
    }
    return (*upload)->Finish();
  }

  void ExpectRefused(const v1::UploadDatasetHeader& header, const std::string& content, absl::StatusCode code,
                     const std::string& text) {
    const std::vector<std::string> before = Files();
    const absl::Status status = Upload(header, content).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_EQ(Files(), before) << "something was left behind";
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      files.push_back(entry.path().filename().string());
    }
    return files;
  }

  TemporaryDirectory directory_;
};

TEST_F(DatasetUploadTest, StoresAValidFile) {
  const std::string content = Idx(5, 'a');
  const auto response = Upload(Header("a.idx", content), content);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->path(), "a.idx");
  EXPECT_EQ(response->rows(), 5);
  EXPECT_EQ(response->width(), 3);
  EXPECT_THAT(Files(), ElementsAre("a.idx"));
  EXPECT_EQ(Sha256OfFile(directory_.File("a.idx")).value(), Hash(content));
}

TEST_F(DatasetUploadTest, TheSameContentAgainIsFineOtherContentIsNot) {
  const std::string content = Idx(5, 'a');
  ASSERT_TRUE(Upload(Header("a.idx", content), content).ok());
  EXPECT_TRUE(Upload(Header("a.idx", content), content).ok());
  const std::string other = Idx(5, 'b');
  ExpectRefused(Header("a.idx", other), other, absl::StatusCode::kAlreadyExists, "'a.idx' with other content");
}

TEST_F(DatasetUploadTest, OtherContentThatAppearsDuringTheUploadStays) {
  const std::string content = Idx(5, 'a');
  auto upload = DatasetUpload::Begin(Header("a.idx", content), directory_.path(), 1000);
  ASSERT_TRUE(upload.ok());
  ASSERT_TRUE((*upload)->Append(content).ok());
  directory_.Write("a.idx", "first");
  EXPECT_EQ((*upload)->Finish().status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Sha256OfFile(directory_.File("a.idx")).value(), Hash("first"));
}

TEST_F(DatasetUploadTest, RefusesBadHeaders) {
  const std::string content = Idx(5, 'a');
  for (const char* path : {"", "../a.idx", "/a.idx", "b/a.idx", ".a.idx"}) {
    ExpectRefused(Header(path, content), content, absl::StatusCode::kInvalidArgument, "header.path");
  }
  ExpectRefused(Header("a.csv", content), content, absl::StatusCode::kInvalidArgument, "ending in .npy");
  v1::UploadDatasetHeader header = Header("a.idx", content);
  header.set_sha256("short");
  ExpectRefused(header, content, absl::StatusCode::kInvalidArgument, "header.sha256 has 5 bytes");
  header = Header("a.idx", content);
  header.set_bytes(0);
  ExpectRefused(header, content, absl::StatusCode::kInvalidArgument, "header.bytes is 0");
  header.set_bytes(1001);
  ExpectRefused(header, content, absl::StatusCode::kResourceExhausted, "--max-upload-bytes");
}

TEST_F(DatasetUploadTest, RefusesWrongLengthsAndChecksums) {
  const std::string content = Idx(5, 'a');
  v1::UploadDatasetHeader header = Header("a.idx", content);
  ExpectRefused(header, content.substr(1), absl::StatusCode::kInvalidArgument, "ended after 26 bytes");
  ExpectRefused(header, content + "x", absl::StatusCode::kInvalidArgument, "more than the 27 bytes");
  header.set_sha256(Hash("something else"));
  ExpectRefused(header, content, absl::StatusCode::kDataLoss, "SHA-256");
}

TEST_F(DatasetUploadTest, RefusesWhatIsNoDataSetAndKeepsItsOwnPathsToItself) {
  const std::string content = Idx(5, 'a').substr(0, 20);
  ExpectRefused(Header("a.idx", content), content, absl::StatusCode::kDataLoss, "a.idx");
  EXPECT_THAT(std::string(Upload(Header("a.idx", content), content).status().message()), Not(HasSubstr(".upload-")));
}

TEST_F(DatasetUploadTest, AnUploadThatStopsHalfwayLeavesNothing) {
  const std::string content = Idx(5, 'a');
  {
    auto upload = DatasetUpload::Begin(Header("a.idx", content), directory_.path(), 1000);
    ASSERT_TRUE(upload.ok());
    ASSERT_TRUE((*upload)->Append(content.substr(3)).ok());
    EXPECT_THAT(Files(), Not(IsEmpty()));
  }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DatasetUploadTest, CleanRemovesWhatADeadServerLeft) {
  std::filesystem::create_directory(directory_.File(".upload-abc123"));
  directory_.Write(".upload-abc123/a.idx", "x");
  directory_.Write("b.idx", "x");
  DatasetUpload::Clean(directory_.path());
  EXPECT_THAT(Files(), ElementsAre("b.idx"));
}

}  // namespace
}  // namespace kwta::server

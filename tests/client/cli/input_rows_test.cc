#include "client/cli/input_rows.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "core/io/arrays/npy.h"
#include "tests/temporary_directory.h"

namespace kwta::client::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class InputRowsTest : public ::testing::Test {
 protected:
  InputRowsTest() {
    const uint8_t pixels[6] = {1, 2, 3, 4, 5, 6};
    EXPECT_TRUE(WriteNpy(directory_.File("blob"), {DType::kU8, {2, 3}, pixels}).ok());
    std::filesystem::create_directory(directory_.File("snapshot"));
    std::filesystem::create_symlink("../blob", directory_.File("snapshot/rows.npy"));
  }

  const TemporaryDirectory directory_;
};

TEST_F(InputRowsTest, AFileMayBeALinkOutOfItsDirectory) {
  const auto rows = LoadFile(directory_.File("snapshot/rows.npy"));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->rows(), 2);
  EXPECT_EQ(rows->width(), 3);
}

TEST_F(InputRowsTest, SoMayAFileOfTheDataDirectory) {
  LocalDataset data;
  data.directory = directory_.File("snapshot");
  data.reference.set_path("rows.npy");
  const auto rows = data.Load();
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->rows(), 2);
}

TEST_F(InputRowsTest, DataThatAreNotOnThisMachineGetAdvice) {
  const auto message = [](const LocalDataset& data) {
    const absl::Status status = data.Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    return std::string(status.message());
  };
  LocalDataset data;
  data.reference.set_path("none.npy");
  EXPECT_THAT(message(data), HasSubstr("say with --data-dir in which directory they lie"));
  data.reference.set_name("no-such-set");
  EXPECT_THAT(message(data), Not(HasSubstr("--data-dir")));
  data.directory = directory_.path();
  data.reference.set_name("small-norb");
  EXPECT_THAT(message(data), AllOf(HasSubstr(directory_.path()), Not(HasSubstr("--data-dir"))));
}

TEST_F(InputRowsTest, WhatIsNotThereIsNamed) {
  EXPECT_EQ(LoadFile(directory_.File("none.npy")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadFile(directory_.File("none.npy")).status().message()), HasSubstr("none.npy"));
  LocalDataset data;
  data.directory = directory_.path();
  data.reference.set_path("../etc/rows.npy");
  EXPECT_EQ(data.Load().status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kwta::client::cli

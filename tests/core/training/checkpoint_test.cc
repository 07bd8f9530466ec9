#include "core/training/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/temporary_directory.h"

namespace kwta::checkpoint_test {
namespace {

using testing::ElementsAre;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {}

  static TrainingCheckpoint Example() {
    TrainingCheckpoint checkpoint;
    checkpoint.state = {7, 12, {1.0 / 3, 4, {0, 1, 0}}, {2e300, 5, {1, 1, 0}}, 0.25, 1.0 / 7, 0.1};
    checkpoint.trainee["atoms"] = Tensor(DType::kF32, {3, 2});
    checkpoint.trainee["atoms"].as<float>()[5] = 0.1f;
    return checkpoint;
  }
  void ExpectError(absl::StatusCode code, const std::string& text) const {
    const absl::Status status = LoadCheckpoint(directory_.path(), "this").status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(text));
  }
  std::filesystem::path File() const { return directory_.File("checkpoint.safetensors"); }

  const TemporaryDirectory directory_;
};

TEST_F(CheckpointTest, ComesBackExactly) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const auto loaded = LoadCheckpoint(directory_.path(), "this");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const TrainingState& state = loaded->state;
  EXPECT_EQ(state.epochs_done, 7u);
  EXPECT_EQ(state.batches_done, 12);
  EXPECT_EQ(state.epoch.loss, 1.0 / 3);
  EXPECT_EQ(state.epoch.wrong, 4);
  EXPECT_THAT(state.epoch.unit_was_active, ElementsAre(0, 1, 0));
  EXPECT_EQ(state.epoch.DeadUnits(), 2);
  EXPECT_EQ(state.last_epoch.loss, 2e300);
  EXPECT_EQ(state.last_epoch.wrong, 5);
  EXPECT_THAT(state.last_epoch.unit_was_active, ElementsAre(1, 1, 0));
  EXPECT_EQ(state.first_loss, 0.25);
  EXPECT_EQ(state.least_loss, 1.0 / 7);
  EXPECT_EQ(state.train_seconds, 0.1);
  ASSERT_EQ(loaded->trainee.size(), 1u);
  EXPECT_EQ(loaded->trainee.at("atoms").shape(), (Shape{3, 2}));
  EXPECT_EQ(loaded->trainee.at("atoms").as<float>()[5], 0.1f);
}

TEST_F(CheckpointTest, IsReplacedByTheNext) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  TrainingCheckpoint next = Example();
  next.state.epochs_done = 8;
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", std::move(next)).ok());
  EXPECT_EQ(LoadCheckpoint(directory_.path(), "this")->state.epochs_done, 8u);
}

TEST_F(CheckpointTest, ThatIsMissingIsNotFound) {
  EXPECT_EQ(LoadCheckpoint(directory_.path(), "this").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, ThatIsOfAnotherRunOrFormatDoesNotFit) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "that", Example()).ok());
  ExpectError(absl::StatusCode::kFailedPrecondition, "checkpoint.safetensors is of another spec or other data");
  SafetensorsFile file = ReadSafetensors(File()).value();
  file.metadata["format"] = "kwta checkpoint 99";
  ASSERT_TRUE(WriteSafetensors(File(), file.tensors, file.metadata).ok());
  ExpectError(absl::StatusCode::kFailedPrecondition,
              "has the format \"kwta checkpoint 99\"; expected \"kwta checkpoint 2\"");
  std::filesystem::rename(File(), directory_.File("fine_tuning.safetensors"));
  ExpectError(absl::StatusCode::kFailedPrecondition, "fine_tuning.safetensors is of an older version");
}

TEST_F(CheckpointTest, ThatIsCutShortOrGarbledIsDataLoss) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const auto size = std::filesystem::file_size(File());
  for (const uintmax_t kept : {size - 1, size / 2, uintmax_t{7}, uintmax_t{0}}) {
    std::filesystem::resize_file(File(), kept);
    ExpectError(absl::StatusCode::kDataLoss, "checkpoint.safetensors");
  }
  std::ofstream(File()) << std::string(size, '\xFF');
  ExpectError(absl::StatusCode::kDataLoss, "checkpoint.safetensors");
}

TEST_F(CheckpointTest, ThatLacksAFieldIsDataLoss) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const SafetensorsFile complete = ReadSafetensors(File()).value();
  for (const char* field :
       {"epochs_done", "batches_done", "epoch.squared_error", "last_epoch.wrong", "train_seconds"}) {
    auto metadata = complete.metadata;
    metadata.erase(field);
    ASSERT_TRUE(WriteSafetensors(File(), complete.tensors, metadata).ok());
    ExpectError(absl::StatusCode::kDataLoss, "lacks numbers");
  }
  TensorMap tensors;
  tensors["learner.atoms"] = Tensor(DType::kF32, {3, 2});
  ASSERT_TRUE(WriteSafetensors(File(), tensors, complete.metadata).ok());
  ExpectError(absl::StatusCode::kDataLoss, "lacks numbers");
}

TEST_F(CheckpointTest, OfTheFirstFormatIsRead) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  SafetensorsFile file = ReadSafetensors(File()).value();
  file.metadata["format"] = "kwta checkpoint 1";
  for (const char* field : {"epoch.wrong", "last_epoch.wrong", "first_loss", "least_loss"}) file.metadata.erase(field);
  ASSERT_TRUE(WriteSafetensors(File(), file.tensors, file.metadata).ok());
  const auto loaded = LoadCheckpoint(directory_.path(), "this");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state.epochs_done, 7u);
  EXPECT_EQ(loaded->state.epoch.loss, 1.0 / 3);
  EXPECT_EQ(loaded->state.epoch.wrong, 0);
  EXPECT_EQ(loaded->state.first_loss, -1);
  EXPECT_EQ(loaded->state.least_loss, -1);
}

TEST_F(CheckpointTest, NeedsItsDirectory) {
  EXPECT_EQ(SaveCheckpoint(directory_.File("missing"), "this", Example()).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kwta::checkpoint_test

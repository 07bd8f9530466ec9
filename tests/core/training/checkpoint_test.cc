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
    checkpoint.state = {7, 12, {1.0 / 3, {0, 1, 0}}, {2e300, {1, 1, 0}}, 0.1};
    checkpoint.learner["atoms"] = Tensor(DType::kF32, {3, 2});
    checkpoint.learner["atoms"].as<float>()[5] = 0.1f;
    return checkpoint;
  }
  std::filesystem::path File() const { return directory_.File("checkpoint.safetensors"); }

  const TemporaryDirectory directory_;
};

TEST_F(CheckpointTest, ComesBackExactly) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const auto loaded = LoadCheckpoint(directory_.path(), "this");
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(loaded->has_value());
  const TrainingState& state = (*loaded)->state;
  EXPECT_EQ(state.epochs_done, 7u);
  EXPECT_EQ(state.batches_done, 12);
  EXPECT_EQ(state.epoch.squared_error, 1.0 / 3);
  EXPECT_THAT(state.epoch.unit_was_active, ElementsAre(0, 1, 0));
  EXPECT_EQ(state.epoch.DeadUnits(), 2);
  EXPECT_EQ(state.last_epoch.squared_error, 2e300);
  EXPECT_THAT(state.last_epoch.unit_was_active, ElementsAre(1, 1, 0));
  EXPECT_EQ(state.train_seconds, 0.1);
  ASSERT_EQ((*loaded)->learner.size(), 1u);
  EXPECT_EQ((*loaded)->learner.at("atoms").shape(), (Shape{3, 2}));
  EXPECT_EQ((*loaded)->learner.at("atoms").as<float>()[5], 0.1f);
}

TEST_F(CheckpointTest, IsReplacedByTheNext) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  TrainingCheckpoint next = Example();
  next.state.epochs_done = 8;
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", std::move(next)).ok());
  EXPECT_EQ(LoadCheckpoint(directory_.path(), "this")->value().state.epochs_done, 8u);
}

TEST_F(CheckpointTest, ThatIsMissingOrOfAnotherRunIsNone) {
  EXPECT_EQ(LoadCheckpoint(directory_.path(), "this")->has_value(), false);
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "that", Example()).ok());
  EXPECT_EQ(LoadCheckpoint(directory_.path(), "this")->has_value(), false);
}

TEST_F(CheckpointTest, ThatIsCutShortOrGarbledIsNone) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const auto size = std::filesystem::file_size(File());
  for (const uintmax_t kept : {size - 1, size / 2, uintmax_t{7}, uintmax_t{0}}) {
    std::filesystem::resize_file(File(), kept);
    const auto loaded = LoadCheckpoint(directory_.path(), "this");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_FALSE(loaded->has_value()) << kept << " bytes of " << size;
  }
  std::ofstream(File()) << std::string(size, '\xFF');
  ASSERT_TRUE(LoadCheckpoint(directory_.path(), "this").ok());
  EXPECT_FALSE(LoadCheckpoint(directory_.path(), "this")->has_value());
}

TEST_F(CheckpointTest, ThatLacksAFieldIsNone) {
  ASSERT_TRUE(SaveCheckpoint(directory_.path(), "this", Example()).ok());
  const SafetensorsFile complete = ReadSafetensors(File()).value();
  for (const char* field : {"epochs_done", "batches_done", "epoch.squared_error", "train_seconds", "format"}) {
    auto metadata = complete.metadata;
    metadata.erase(field);
    ASSERT_TRUE(WriteSafetensors(File(), complete.tensors, metadata).ok());
    ASSERT_TRUE(LoadCheckpoint(directory_.path(), "this").ok());
    EXPECT_FALSE(LoadCheckpoint(directory_.path(), "this")->has_value()) << field;
  }
  TensorMap tensors;
  tensors["learner.atoms"] = Tensor(DType::kF32, {3, 2});
  ASSERT_TRUE(WriteSafetensors(File(), tensors, complete.metadata).ok());
  EXPECT_FALSE(LoadCheckpoint(directory_.path(), "this")->has_value());
}

TEST_F(CheckpointTest, NeedsItsDirectory) {
  EXPECT_EQ(SaveCheckpoint(directory_.File("missing"), "this", Example()).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kwta::checkpoint_test

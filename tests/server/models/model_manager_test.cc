#include "server/models/model_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/server/test_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelManagerTest : public ::testing::Test {
 protected:
  void Open() {
    ModelManager::Events events;
    events.serving = [this](const std::string& model, uint64_t version) {
      events_.push_back(absl::StrCat(model, " ", version));
    };
    events.removed = [this](const std::string& model) { events_.push_back(absl::StrCat(model, " removed")); };
    events.load_failed = [this](const std::string&, const absl::Status& status) {
      events_.push_back(absl::StrCat("failed ", absl::StatusCodeToString(status.code())));
    };
    manager_.reset();
    manager_ = ModelManager::Open(
                   directory_.File("models"),
                   [this](const ModelBundle&) -> absl::StatusOr<std::shared_ptr<const Encoder>> {
                     if (!load_error_.ok()) return load_error_;
                     return std::make_shared<FakeEncoder>(2, 4);
                   },
                   std::move(events))
                   .value();
  }

  ModelManagerTest() {
    std::filesystem::create_directory(directory_.File("models"));
    Open();
  }

  absl::StatusOr<uint64_t> Publish(const std::string& name, const std::string& job_id = "") {
    std::filesystem::remove_all(directory_.File("job"));
    WriteTestBundle(directory_.path(), "job/bundle", name, job_id);
    return manager_->Publish(name, directory_.File("job/bundle"));
  }

  TestDirectory directory_;
  absl::Status load_error_;
  std::vector<std::string> events_;
  std::unique_ptr<ModelManager> manager_;
};

TEST_F(ModelManagerTest, PublishMovesTheBundleAndServesIt) {
  EXPECT_EQ(Publish("digits").value(), 1);
  EXPECT_EQ(manager_->Get("digits", 0).value()->version, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("job/bundle")));
  EXPECT_TRUE(std::filesystem::exists(directory_.File("models/digits/1/model.json")));
  EXPECT_THAT(events_, ElementsAre("digits 1"));
}

TEST_F(ModelManagerTest, WhoHoldsAVersionKeepsItThroughSwapAndDeletion) {
  ASSERT_TRUE(Publish("digits").ok());
  const ServedModelPtr held = manager_->Get("digits", 0).value();
  EXPECT_EQ(Publish("digits").value(), 2);
  EXPECT_EQ(manager_->Get("digits", 0).value()->version, 2);
  EXPECT_EQ(manager_->Get("digits", 1).value(), held);
  EXPECT_THAT(manager_->Delete("digits", 0).value(), ElementsAre(1, 2));
  EXPECT_EQ(held->version, 1);
  EXPECT_EQ(held->encoder->input_width(), 2);
}

TEST_F(ModelManagerTest, UnknownModelsAndVersionsAreNamed) {
  absl::Status status = manager_->Get("digits", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'digits'"), HasSubstr("kwta train")));
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  status = manager_->Get("letters", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("there are: digits"));
  status = manager_->Get("digits", 7).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no version 7; it has 1, 2"));
}

TEST_F(ModelManagerTest, LoadsWhatIsThereAndSkipsWhatIsDamaged) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("letters").ok());
  DamageTestBundle(directory_.path(), "models/digits/2");
  events_.clear();
  Open();
  EXPECT_EQ(manager_->Get("digits", 0).value()->version, 1);
  EXPECT_EQ(manager_->Get("letters", 0).value()->version, 1);
  EXPECT_THAT(events_, ::testing::UnorderedElementsAre("failed DATA_LOSS", "digits 1", "letters 1"));
  EXPECT_EQ(Publish("digits").value(), 3) << "the damaged bundle's number must not be used again";
}

TEST_F(ModelManagerTest, VersionsAreNeverUsedAgain) {
  ASSERT_EQ(Publish("digits").value(), 1);
  ASSERT_EQ(Publish("digits").value(), 2);
  ASSERT_TRUE(manager_->Delete("digits", 0).ok());
  EXPECT_EQ(Publish("digits").value(), 3);
  ASSERT_TRUE(manager_->Delete("digits", 3).ok());
  Open();
  EXPECT_EQ(manager_->size(), 0);
  EXPECT_EQ(Publish("digits").value(), 4);
}

TEST_F(ModelManagerTest, DeletingTheServedVersionServesTheOneBefore) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  events_.clear();
  EXPECT_THAT(manager_->Delete("digits", 2).value(), ElementsAre(2));
  EXPECT_EQ(manager_->Get("digits", 0).value()->version, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("models/digits/2")));
  EXPECT_THAT(manager_->Delete("digits", 1).value(), ElementsAre(1));
  EXPECT_THAT(events_, ElementsAre("digits 1", "digits removed"));
  EXPECT_EQ(manager_->Delete("digits", 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(manager_->List(), IsEmpty());
}

TEST_F(ModelManagerTest, ABundleThatDoesNotLoadLeavesTheOldVersionServing) {
  ASSERT_TRUE(Publish("digits").ok());
  load_error_ = absl::DataLossError("atoms are missing");
  const absl::Status status = Publish("digits").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(manager_->Get("digits", 0).value()->version, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("models/digits/2")));
  EXPECT_TRUE(std::filesystem::exists(directory_.File("job/bundle")));
}

TEST_F(ModelManagerTest, ABundleOfAnotherModelIsRefused) {
  WriteTestBundle(directory_.path(), "job/bundle", "letters");
  const absl::Status status = manager_->Publish("digits", directory_.File("job/bundle")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is of model 'letters', expected 'digits'"));
}

TEST_F(ModelManagerTest, ADamagedHighWaterMarkIsReported) {
  ASSERT_TRUE(Publish("digits").ok());
  directory_.Write("models/digits/last_version", "many");
  const absl::Status status = Publish("digits").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("last_version' holds 'many'"));
}

TEST_F(ModelManagerTest, FindsTheVersionThatAJobMade) {
  ASSERT_TRUE(Publish("digits", "job-a").ok());
  ASSERT_TRUE(Publish("digits", "job-b").ok());
  EXPECT_EQ(manager_->VersionOfJob("digits", "job-a"), 1);
  EXPECT_EQ(manager_->VersionOfJob("digits", "job-c"), 0);
  EXPECT_EQ(manager_->VersionOfJob("letters", "job-a"), 0);
}

TEST_F(ModelManagerTest, ListsByNameOldestVersionFirst) {
  ASSERT_TRUE(Publish("b").ok());
  ASSERT_TRUE(Publish("a").ok());
  ASSERT_TRUE(Publish("b").ok());
  std::vector<std::string> listed;
  for (const ServedModelPtr& served : manager_->List()) listed.push_back(absl::StrCat(served->name, served->version));
  EXPECT_THAT(listed, ElementsAre("a1", "b1", "b2"));
  EXPECT_EQ(manager_->size(), 2);
}

}  // namespace
}  // namespace kwta::server

#include "server/models/model_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelManagerTest : public ::testing::Test {
 protected:
  void Open() {
    ModelManager::Events events = IgnoreEvents();
    events.serving = [this](const std::string& model, uint64_t version) {
      events_.push_back(absl::StrCat(model, " ", version));
    };
    events.removed = [this](const std::string& model) { events_.push_back(absl::StrCat(model, " removed")); };
    events.load_failed = [this](const std::string&, const std::string&, const absl::Status& status) {
      events_.push_back(absl::StrCat("failed ", absl::StatusCodeToString(status.code())));
    };
    events.evicted = [this](const std::string& model, uint64_t version) {
      events_.push_back(absl::StrCat(model, " ", version, " evicted"));
    };
    ModelManagerOptions options;
    options.memory_bytes = memory_bytes_;
    options.warm_up_rows = 8;
    manager_.reset();
    manager_ = ModelManager::Open(
                   directory_.File("models"), options,
                   [this](const ModelBundle&) -> absl::StatusOr<std::shared_ptr<const Encoder>> {
                     if (!load_error_.ok()) return load_error_;
                     loaded_.push_back(std::make_shared<FakeEncoder>(2, 4));
                     return loaded_.back();
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
    return manager_->Publish(name, directory_.File("job/bundle"), job_id);
  }

  TemporaryDirectory directory_;
  // The state of a version.
  ModelState StateOf(const std::string& name, uint64_t version) { return manager_->Describe({name, version})->state; }
  uint64_t Served(const std::string& name, absl::string_view label = {}) {
    const auto model = manager_->Get({name, 0, label});
    return model.ok() ? (*model)->version : 0;
  }
  void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  absl::Status load_error_;
  int64_t memory_bytes_ = 0;                          // of the next Open; a version takes 32
  std::vector<std::shared_ptr<FakeEncoder>> loaded_;  // every encoder that was made
  std::vector<std::string> events_;
  std::unique_ptr<ModelManager> manager_;
};

TEST_F(ModelManagerTest, PublishMovesTheBundleAndServesIt) {
  EXPECT_EQ(Publish("digits").value(), 1);
  EXPECT_EQ(manager_->Get({"digits", 0}).value()->version, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("job/bundle")));
  EXPECT_TRUE(std::filesystem::exists(directory_.File("models/digits/1/model.json")));
  EXPECT_THAT(events_, ElementsAre("digits 1"));
}

TEST_F(ModelManagerTest, WhoHoldsAVersionKeepsItThroughSwapAndDeletion) {
  ASSERT_TRUE(Publish("digits").ok());
  const ServedModelPtr held = manager_->Get({"digits", 0}).value();
  EXPECT_EQ(Publish("digits").value(), 2);
  EXPECT_EQ(manager_->Get({"digits", 0}).value()->version, 2);
  EXPECT_EQ(manager_->Get({"digits", 1}).value(), held);
  EXPECT_THAT(manager_->Delete("digits", 0).value(), ElementsAre(1, 2));
  EXPECT_EQ(held->version, 1);
  EXPECT_EQ(held->encoder->input_width(), 2);
}

TEST_F(ModelManagerTest, UnknownModelsAndVersionsAreNamed) {
  absl::Status status = manager_->Get({"digits", 0}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'digits'"), HasSubstr("kwta train")));
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  status = manager_->Get({"letters", 0}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("there are: digits"));
  status = manager_->Get({"digits", 7}).status();
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
  EXPECT_EQ(manager_->Get({"digits", 0}).value()->version, 1);
  EXPECT_EQ(manager_->Get({"letters", 0}).value()->version, 1);
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

TEST_F(ModelManagerTest, DeletingAVersionWritesNothingThatIsThere) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  const std::string number = directory_.File("models/digits/last_version");
  struct stat before = {}, after = {};
  ASSERT_EQ(::stat(number.c_str(), &before), 0);
  EXPECT_THAT(manager_->Delete("digits", 1).value(), ElementsAre(1));
  ASSERT_EQ(::stat(number.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino) << "a full disk would have kept the version";
}

TEST_F(ModelManagerTest, DeletingTheServedVersionServesTheOneBefore) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  events_.clear();
  EXPECT_THAT(manager_->Delete("digits", 2).value(), ElementsAre(2));
  EXPECT_EQ(manager_->Get({"digits", 0}).value()->version, 1);
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
  EXPECT_EQ(manager_->Get({"digits", 0}).value()->version, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("models/digits/2")));
  EXPECT_TRUE(std::filesystem::exists(directory_.File("job/bundle")));
}

TEST_F(ModelManagerTest, ABundleOfAnotherModelIsRefused) {
  WriteTestBundle(directory_.path(), "job/bundle", "letters");
  const absl::Status status = manager_->Publish("digits", directory_.File("job/bundle"), "").status();
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
  for (const ModelInfo& model : manager_->List()) {
    for (const ModelVersionInfo& each : model.versions) listed.push_back(absl::StrCat(each.name, each.version));
  }
  EXPECT_THAT(listed, ElementsAre("a1", "b1", "b2"));
  EXPECT_EQ(manager_->size(), 2);
}

TEST_F(ModelManagerTest, EveryBatchSizeIsWarmedUpBeforeAVersionIsReady) {
  ASSERT_TRUE(Publish("digits").ok());
  EXPECT_THAT(loaded_.at(0)->batches, ElementsAre(1, 2, 4, 8));
}

TEST_F(ModelManagerTest, StableAndCanaryFollowTheNewestUntilTheyAreSet) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  EXPECT_EQ(Served("digits", "stable"), 2);
  ASSERT_TRUE(manager_->SetLabel("digits", "stable", 1).ok());
  EXPECT_EQ(Served("digits"), 1);
  EXPECT_EQ(Served("digits", "canary"), 2);
  ASSERT_EQ(Publish("digits").value(), 3);
  EXPECT_EQ(Served("digits"), 1) << "a label that was set stays";
  EXPECT_EQ(Served("digits", "canary"), 3);
  EXPECT_THAT(manager_->Describe({"digits", 3})->labels, ElementsAre("canary"));
  ASSERT_TRUE(manager_->SetLabel("digits", "stable", 0).ok());
  EXPECT_EQ(Served("digits"), 3);
  EXPECT_THAT(events_, ElementsAre("digits 1", "digits 2", "digits 1", "digits 3"));
}

TEST_F(ModelManagerTest, LabelsSurviveARestart) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(manager_->SetLabel("digits", "stable", 1).ok());
  ASSERT_TRUE(manager_->SetLabel("digits", "night-shift", 1).ok());
  Open();
  EXPECT_EQ(Served("digits"), 1);
  EXPECT_EQ(Served("digits", "night-shift"), 1);
  EXPECT_EQ(manager_->RollBack("digits")->stable, 2) << "so does what stable was before";
}

TEST_F(ModelManagerTest, WrongLabelsAreRefused) {
  ASSERT_TRUE(Publish("digits").ok());
  ExpectError(manager_->Get({"digits", 0, "blue"}).status(), absl::StatusCode::kNotFound,
              "has no label 'blue'; it has stable, canary");
  ExpectError(manager_->Get({"digits", 1, "stable"}).status(), absl::StatusCode::kInvalidArgument, "at most one");
  ExpectError(manager_->SetLabel("digits", "no spaces", 1).status(), absl::StatusCode::kInvalidArgument, "label");
  ExpectError(manager_->SetLabel("digits", "stable", 7).status(), absl::StatusCode::kNotFound, "no version 7");
  ExpectError(manager_->SetLabel("digits", "stable", 0).status(), absl::StatusCode::kNotFound, "is not set");
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(manager_->SetLabel("digits", absl::StrCat("l", i), 1).ok());
  ExpectError(manager_->SetLabel("digits", "one-more", 1).status(), absl::StatusCode::kResourceExhausted, "16 labels");
}

TEST_F(ModelManagerTest, RollBackReturnsToWhatWasServed) {
  ASSERT_TRUE(Publish("digits").ok());
  ExpectError(manager_->RollBack("digits").status(), absl::StatusCode::kFailedPrecondition, "no version before it");
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  EXPECT_EQ(manager_->RollBack("digits")->stable, 2);
  EXPECT_EQ(manager_->RollBack("digits")->stable, 3) << "and again";
  ASSERT_TRUE(manager_->SetLabel("digits", "stable", 1).ok());
  EXPECT_EQ(manager_->RollBack("digits")->stable, 3);
}

TEST_F(ModelManagerTest, ALabelledVersionIsNotDeletedByItself) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(manager_->SetLabel("digits", "stable", 1).ok());
  ExpectError(manager_->Delete("digits", 1).status(), absl::StatusCode::kFailedPrecondition, "'stable'");
  EXPECT_THAT(manager_->Delete("digits", 0).value(), ElementsAre(1, 2));
  ASSERT_EQ(Publish("digits").value(), 3);
  EXPECT_EQ(Served("digits"), 3) << "labels go with the model";
}

TEST_F(ModelManagerTest, ALabelIsNotSetToAVersionThatDoesNotLoad) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(manager_->Unload("digits", 1).ok());
  DamageTestBundle(directory_.path(), "models/digits/1");
  ExpectError(manager_->SetLabel("digits", "stable", 1).status(), absl::StatusCode::kDataLoss, "digits/1");
  EXPECT_EQ(Served("digits"), 2);
  EXPECT_EQ(StateOf("digits", 1), ModelState::kFailed);
  ExpectError(manager_->Get({"digits", 1}).status(), absl::StatusCode::kFailedPrecondition, "failed to load");
}

TEST_F(ModelManagerTest, UnloadedVersionsAreOutOfUseUntilTheyAreLoaded) {
  ASSERT_TRUE(Publish("digits").ok());
  ASSERT_TRUE(Publish("digits").ok());
  EXPECT_THAT(manager_->Unload("digits", 2).value(), ElementsAre(2));
  EXPECT_EQ(Served("digits"), 1);
  ExpectError(manager_->Get({"digits", 2}).status(), absl::StatusCode::kFailedPrecondition, "was unloaded");
  EXPECT_THAT(manager_->Unload("digits", 0).value(), ElementsAre(1, 2));
  EXPECT_EQ(manager_->size(), 0);
  EXPECT_EQ(manager_->Load("digits", 0, false)->version, 2);
  EXPECT_EQ(Served("digits"), 2);
  ExpectError(manager_->Load("digits", 9, false).status(), absl::StatusCode::kNotFound, "no version 9");
  ExpectError(manager_->Load("letters", 0, false).status(), absl::StatusCode::kNotFound, "there are: digits");
}

TEST_F(ModelManagerTest, AReloadThatFailsLeavesTheOldOneServing) {
  ASSERT_TRUE(Publish("digits").ok());
  const ServedModelPtr before = manager_->Get({"digits"}).value();
  ASSERT_TRUE(manager_->Load("digits", 1, /*reload=*/false).ok());
  EXPECT_EQ(manager_->Get({"digits"}).value(), before) << "it is in memory";
  DamageTestBundle(directory_.path(), "models/digits/1");
  EXPECT_EQ(manager_->Load("digits", 1, /*reload=*/true).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(manager_->Get({"digits"}).value(), before);
  EXPECT_EQ(manager_->Describe({"digits"})->failure.code(), absl::StatusCode::kDataLoss) << "and it shows";
  std::filesystem::remove_all(directory_.File("models/digits/1"));
  WriteTestBundle(directory_.path(), "models/digits/1", "digits");
  ASSERT_TRUE(manager_->Load("digits", 1, /*reload=*/true).ok());
  EXPECT_NE(manager_->Get({"digits"}).value(), before);
  EXPECT_TRUE(manager_->Describe({"digits"})->failure.ok());
}

TEST_F(ModelManagerTest, SupersededVersionsLeaveMemoryAndComeBackWhenAskedFor) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Publish("digits").ok());
  EXPECT_EQ(StateOf("digits", 1), ModelState::kEvicted);
  EXPECT_EQ(StateOf("digits", 2), ModelState::kEvicted);
  EXPECT_EQ(StateOf("digits", 3), ModelState::kReady) << "to roll back to";
  ASSERT_EQ(manager_->Get({"digits", 1}).value()->version, 1);
  EXPECT_EQ(StateOf("digits", 1), ModelState::kReady);
}

TEST_F(ModelManagerTest, TheLeastRecentlyUsedLeavesWhenMemoryIsWanted) {
  memory_bytes_ = 3 * 32;
  Open();
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(Publish(name).ok());
  EXPECT_EQ(Served("a"), 1);  // b is now the one
  events_.clear();
  ASSERT_TRUE(Publish("d").ok());
  EXPECT_THAT(events_, ElementsAre("b 1 evicted", "d 1"));
  EXPECT_EQ(Served("b"), 1) << "it comes back";
  EXPECT_EQ(StateOf("c", 1), ModelState::kEvicted);
  EXPECT_EQ(manager_->size(), 4);
}

TEST_F(ModelManagerTest, WhatNeverFitsIsRefusedByTheLimitsName) {
  memory_bytes_ = 31;
  Open();
  ExpectError(Publish("digits").status(), absl::StatusCode::kResourceExhausted, "--model-memory");
}

TEST_F(ModelManagerTest, CallersWaitForAnEvictedVersionWithoutBlocking) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Publish("digits").ok());
  uint64_t answered = 0;
  manager_->GetWhenLoaded({"digits"}, [&](absl::StatusOr<ServedModelPtr> model) { answered = (*model)->version; });
  EXPECT_EQ(answered, 3) << "at once";
  absl::Status stopped;
  manager_->GetWhenLoaded({"digits", 1}, [&](absl::StatusOr<ServedModelPtr> model) { stopped = model.status(); });
  EXPECT_TRUE(stopped.ok()) << "nothing loads it yet";
  manager_->Stop();
  ExpectError(stopped, absl::StatusCode::kUnavailable, "stopping");
}

TEST_F(ModelManagerTest, BundlesPutIntoTheDirectoryAreTakenOnceTheySettle) {
  ASSERT_TRUE(Publish("digits").ok());
  WriteTestBundle(directory_.path(), "models/digits/5", "digits");
  const SteadyTime now = SteadyTime::At(absl::ZeroDuration());
  EXPECT_TRUE(manager_->Rescan(now).value()) << "not settled";
  EXPECT_EQ(Served("digits"), 1);
  EXPECT_TRUE(manager_->Rescan(now + absl::Milliseconds(999)).value());
  EXPECT_FALSE(manager_->Rescan(now + absl::Seconds(1)).value());
  EXPECT_EQ(Served("digits"), 5);
  EXPECT_EQ(Publish("digits").value(), 6);
}

TEST_F(ModelManagerTest, AHalfCopiedBundleIsTakenWhenItIsWhole) {
  ASSERT_TRUE(Publish("digits").ok());
  WriteTestBundle(directory_.path(), "whole", "digits");
  std::filesystem::create_directory(directory_.File("models/digits/2"));
  std::filesystem::copy(directory_.File("whole/model.json"), directory_.File("models/digits/2"));
  SteadyTime now = SteadyTime::At(absl::ZeroDuration());
  EXPECT_FALSE(manager_->Rescan(now).value()) << "a file is missing: it will tell when it comes";
  std::filesystem::copy(directory_.File("whole/model.safetensors"), directory_.File("models/digits/2"));
  DamageTestBundle(directory_.path(), "models/digits/2");
  EXPECT_TRUE(manager_->Rescan(now).value());
  EXPECT_FALSE(manager_->Rescan(now = now + absl::Seconds(2)).value());
  EXPECT_EQ(StateOf("digits", 2), ModelState::kFailed);
  EXPECT_EQ(Served("digits"), 1);
  EXPECT_FALSE(manager_->Rescan(now = now + absl::Seconds(2)).value()) << "it is not tried again as it is";
  std::filesystem::copy(directory_.File("whole/model.safetensors"), directory_.File("models/digits/2"),
                        std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(manager_->Rescan(now).value());
  EXPECT_FALSE(manager_->Rescan(now = now + absl::Seconds(2)).value());
  EXPECT_EQ(Served("digits"), 2);
}

TEST_F(ModelManagerTest, WhatOthersDeleteOrLabelIsFollowed) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Publish("digits").ok());
  directory_.Write("models/digits/labels.json", R"({"labels": {"stable": 1}})");
  ASSERT_TRUE(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).ok());
  EXPECT_EQ(Served("digits"), 1);
  directory_.Write("models/digits/labels.json", R"({"labels": 1})");
  ASSERT_TRUE(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).ok());
  EXPECT_EQ(manager_->Info("digits")->problems.size(), 1u);
  EXPECT_EQ(Served("digits"), 1) << "labels that cannot be read change nothing";
  std::filesystem::remove_all(directory_.File("models/digits/2"));
  ASSERT_TRUE(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).ok());
  EXPECT_EQ(manager_->Get({"digits", 2}).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::remove_all(directory_.File("models/digits"));
  EXPECT_EQ(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Served("digits"), 1) << "a directory that is empty all at once is more likely not there";
}

TEST_F(ModelManagerTest, NumbersThatAnotherServerTookAreNotTaken) {
  ASSERT_TRUE(Publish("digits").ok());
  std::filesystem::create_directory(directory_.File("models/digits/2"));
  EXPECT_EQ(Publish("digits").value(), 3);
}

}  // namespace
}  // namespace kwta::server

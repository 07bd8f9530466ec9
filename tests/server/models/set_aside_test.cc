// What stands in a directory of models and cannot be used, and what a publication does that fails half way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/files/files.h"
#include "core/io/model_bundle.h"
#include "server/models/model_directory.h"
#include "server/models/model_manager.h"
#include "server/retry_after.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SetAsideTest : public ::testing::Test {
 protected:
  SetAsideTest() { std::filesystem::create_directory(directory_.File("models")); }

  void Open() {
    ModelManager::Events events = IgnoreEvents();
    events.set_aside = [this](const std::string& model, const std::string& problem) {
      told_.push_back(absl::StrCat(model, ": ", problem));
    };
    auto opened = ModelManager::Open(
        directory_.File("models"), ModelManagerOptions(),
        [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, std::move(events));
    ASSERT_TRUE(opened.ok()) << opened.status();
    manager_ = *std::move(opened);
  }

  std::vector<uint64_t> Versions(const std::string& model) {
    std::vector<uint64_t> versions;
    const ModelInfo info = manager_->Info(model).value();
    for (const ModelVersionInfo& each : info.versions) versions.push_back(each.version);
    return versions;
  }

  absl::StatusOr<uint64_t> Publish(const std::string& job_id) {
    return manager_->Publish("m", directory_.File("job/bundle"), job_id);
  }

  TemporaryDirectory directory_;
  std::vector<std::string> told_;
  std::unique_ptr<ModelManager> manager_;
};

TEST_F(SetAsideTest, LabelsThatCannotBeReadStopNobody) {
  WriteTestBundle(directory_.path(), "models/good/1", "good");
  WriteTestBundle(directory_.path(), "models/bad/1", "bad");
  directory_.Write("models/bad/labels.json", "");
  Open();
  EXPECT_EQ(manager_->Get({"good"}).value()->version, 1);
  EXPECT_EQ(manager_->Get({"bad"}).value()->version, 1) << "the newest, as without labels";
  EXPECT_THAT(manager_->Info("good")->problems, IsEmpty());
  EXPECT_THAT(manager_->Info("bad")->problems, ElementsAre(AllOf(HasSubstr("labels cannot be read: 'bad/labels.json'"),
                                                                 Not(HasSubstr(directory_.path())))));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("bad: its labels")));
  const SteadyTime now = SteadyTime::At(absl::ZeroDuration());
  ASSERT_TRUE(manager_->Rescan(now).ok());
  EXPECT_EQ(told_.size(), 1u) << "told once";
  directory_.Write("models/bad/labels.json", R"({"labels": {"stable": 1}})");
  ASSERT_TRUE(manager_->Rescan(now).ok());
  EXPECT_THAT(manager_->Info("bad")->problems, IsEmpty());
  EXPECT_EQ(manager_->Info("bad")->labels.set.size(), 1u);
}

TEST_F(SetAsideTest, VersionsAreDigitsWithoutSignsOrZeros) {
  WriteTestBundle(directory_.path(), "models/m/3", "m");
  for (const char* name : {"+7", "007", " 9", "1e3", "0x5", "0", "-1", "18446744073709551616", "backup"}) {
    std::filesystem::create_directory(directory_.File(absl::StrCat("models/m/", name)));
  }
  directory_.Write("models/m/notes.txt", "a file is nobody's business");
  Open();
  EXPECT_THAT(Versions("m"), ElementsAre(3));
  EXPECT_EQ(manager_->Info("m")->problems.size(), 9u);
  EXPECT_THAT(told_, testing::Contains(HasSubstr("m: '007' is ignored")));
  EXPECT_THAT(manager_->Delete("m", 0).value(), ElementsAre(3));
  EXPECT_EQ(manager_->Delete("m", 0).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SetAsideTest, ADirectoryThatNoModelCanBeCalledIsShown) {
  WriteTestBundle(directory_.path(), "models/my model/1", "m");
  WriteTestBundle(directory_.path(), "models/m/1", "m");
  for (const char* name : {"lost+found", ".snapshot", "\xff", "old.deleted"}) {
    std::filesystem::create_directory(directory_.File(absl::StrCat("models/", name)));
  }
  Open();
  EXPECT_THAT(Versions("m"), ElementsAre(1));
  EXPECT_THAT(manager_->Info("my model")->problems,
              ElementsAre(AllOf(HasSubstr("the directory is ignored"), HasSubstr("rename it"))));
  EXPECT_THAT(told_, testing::Contains(HasSubstr("my model: the directory is ignored")));
  EXPECT_EQ(manager_->List().size(), 3u) << "what the file system keeps there is nobody's business";
  std::filesystem::rename(directory_.File("models/my model"), directory_.File("models/mine"));
  ASSERT_TRUE(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).ok());
  EXPECT_FALSE(manager_->Info("my model").ok());
}

TEST_F(SetAsideTest, AModelOfWhichNothingCanBeUsedIsShown) {
  WriteTestBundle(directory_.path(), "models/m/01", "m");
  Open();
  const std::vector<ModelInfo> models = manager_->List();
  ASSERT_EQ(models.size(), 1u);
  EXPECT_THAT(models[0].versions, IsEmpty());
  EXPECT_THAT(models[0].problems, ElementsAre(HasSubstr("'01' is ignored")));
  EXPECT_EQ(manager_->Get({"m"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(manager_->size(), 0u);
  std::filesystem::remove_all(directory_.File("models/m"));
  ASSERT_TRUE(manager_->Rescan(SteadyTime::At(absl::ZeroDuration())).ok());
  EXPECT_THAT(manager_->List(), IsEmpty());
}

TEST_F(SetAsideTest, TheHighestVersionIsTheLast) {
  WriteTestBundle(directory_.path(), "models/m/18446744073709551615", "m");
  WriteTestBundle(directory_.path(), "job/bundle", "m", "j");
  Open();
  EXPECT_THAT(Versions("m"), ElementsAre(18446744073709551615u));
  const absl::Status status = Publish("j").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(RetryAfter(status).has_value());
  EXPECT_TRUE(std::filesystem::exists(directory_.File("job/bundle/model.json"))) << "it is kept";
}

TEST_F(SetAsideTest, LinksInBundlesAreRefused) {
  WriteTestBundle(directory_.path(), "elsewhere", "m");
  for (const char* file : {"model.json", "model.safetensors"}) {
    WriteTestBundle(directory_.path(), "models/m/1", "m");
    std::filesystem::remove(directory_.File(absl::StrCat("models/m/1/", file)));
    std::filesystem::create_symlink(directory_.File(absl::StrCat("elsewhere/", file)),
                                    directory_.File(absl::StrCat("models/m/1/", file)));
    Open();
    const absl::Status failure = manager_->Info("m").value().versions[0].failure;
    EXPECT_EQ(failure.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(failure.message()),
                AllOf(HasSubstr("m/1/"), HasSubstr("is a symbolic link"), Not(HasSubstr(directory_.path()))));
    std::filesystem::remove_all(directory_.File("models/m/1"));
  }
}

TEST_F(SetAsideTest, APublicationThatWasMovedIsFoundAgain) {
  Open();
  // As it stands when the machine's disk failed right after the bundle was moved: no last_version, nothing synced.
  WriteTestBundle(directory_.path(), "models/m/1", "m", "j");
  EXPECT_EQ(Publish("j").value(), 1);
  EXPECT_EQ(Publish("j").value(), 1) << "again is fine";
  EXPECT_EQ(manager_->Get({"m"}).value()->version, 1);
  EXPECT_EQ(ReadFile(directory_.File("models/m/last_version"), 100).value(), "1\n");
  EXPECT_EQ(Publish("another").status().code(), absl::StatusCode::kNotFound);
  const std::string left = directory_.File("job/bundle");
  WriteTestBundle(directory_.path(), "job/bundle", "m", "j");
  EXPECT_EQ(Publish("j").value(), 1) << "the copy of a bundle is published, and the original may still be there";
  ModelBundle of_another_job = ReadModelBundle(directory_.File("models/m/1")).value();
  of_another_job.description.mutable_created()->set_seconds(1);
  std::filesystem::remove_all(left);
  ASSERT_TRUE(WriteModelBundle(left, of_another_job).ok());
  EXPECT_EQ(Publish("j").value(), 2) << "another bundle is published, whoever had that job's id before";
}

TEST_F(SetAsideTest, APublicationThatFailsMayBeRepeated) {
  Open();
  directory_.Write("models/m", "a file where the model's directory shall be");
  WriteTestBundle(directory_.path(), "job/bundle", "m", "j");
  const absl::Status failed = Publish("j").status();
  EXPECT_TRUE(RetryAfter(failed).has_value()) << failed;
  std::filesystem::remove(directory_.File("models/m"));
  EXPECT_EQ(Publish("j").value(), 1) << "no number was lost";
}

TEST_F(SetAsideTest, DebrisIsRemoved) {
  WriteTestBundle(directory_.path(), "models/m/1", "m");
  WriteTestBundle(directory_.path(), "models/m/2.deleted", "m");
  WriteTestBundle(directory_.path(), "models/m/.3.tmp-12-0", "m");
  directory_.Write("models/m/.labels.json.tmp-12-0", "{");
  directory_.Write("models/m/1/.model.json.tmp-12-0", "is not looked for in versions, which appear whole");
  ModelDirectory models(directory_.File("models"));
  EXPECT_THAT(models.RemoveDebris(absl::Hours(24)), IsEmpty()) << "another server may be writing them";
  EXPECT_EQ(models.RemoveDebris(absl::ZeroDuration()).size(), 3u);
  Open();
  EXPECT_THAT(Versions("m"), ElementsAre(1));
  EXPECT_THAT(manager_->Info("m")->problems, IsEmpty());
}

}  // namespace
}  // namespace kwta::server

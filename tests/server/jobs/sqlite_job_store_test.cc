#include "server/jobs/sqlite_job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

#include "server/jobs/job_events.h"
#include "server/jobs/sqlite.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteJobStoreTest : public ::testing::Test {
 protected:
  SqliteJobStoreTest() { Open(); }

  void Open() {
    store_.reset();
    store_ = OpenSqliteJobStore(Path()).value();
  }
  std::string Path() const { return directory_.File("kwta.db"); }

  static v1::JobSpec Spec(const std::string& model) {
    v1::JobSpec spec;
    spec.set_model(model);
    return spec;
  }
  static v1::JobEvent Progress(uint32_t epoch) {
    v1::TrainingProgress progress;
    progress.set_epochs_done(epoch);
    return ProgressEvent(progress, absl::FromUnixSeconds(epoch));
  }

  std::vector<uint64_t> Sequences(const std::string& id, uint64_t after, int64_t limit = 100) {
    std::vector<uint64_t> sequences;
    const std::vector<v1::JobEvent> events = store_->EventsAfter(id, after, limit).value();
    for (const v1::JobEvent& event : events) {
      sequences.push_back(event.sequence());
    }
    return sequences;
  }

  // Runs SQL on the file behind the store's back.
  void Sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(Path().c_str(), &database), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  const absl::Time now_ = absl::FromUnixSeconds(1000);
  TemporaryDirectory directory_;
  std::unique_ptr<JobStore> store_;
};

TEST_F(SqliteJobStoreTest, AJobBeginsQueuedWithItsFirstEvent) {
  const JobStore::Created created = store_->Create("a", Spec("digits"), now_).value();
  EXPECT_TRUE(created.is_new);
  EXPECT_EQ(created.job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(created.job.created().seconds(), 1000);
  EXPECT_EQ(created.job.last_sequence(), 1);
  const auto events = store_->EventsAfter("a", 0, 10).value();
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].state(), v1::JOB_STATE_QUEUED);
}

TEST_F(SqliteJobStoreTest, TheSameRequestAgainGivesTheSameJob) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, now_)).ok());
  const JobStore::Created again = store_->Create("a", Spec("digits"), now_ + absl::Hours(1)).value();
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(again.job.created().seconds(), 1000);
  const absl::Status other = store_->Create("a", Spec("letters"), now_).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(other.message()), HasSubstr("job 'a' exists with another spec"));
}

TEST_F(SqliteJobStoreTest, EverythingSurvivesReopening) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, now_)).ok());
  ASSERT_TRUE(store_->Append("a", Progress(2)).ok());
  const std::string before = store_->Get("a").value().SerializeAsString();
  Open();
  EXPECT_EQ(store_->Get("a").value().SerializeAsString(), before);
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2, 3));
  EXPECT_EQ(store_->Append("a", Progress(3)).value().last_sequence(), 4);
}

TEST_F(SqliteJobStoreTest, SequencesAreGaplessForEachJobAndCanBeResumed) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Create("b", Spec("digits"), now_).ok());
  for (uint32_t epoch = 1; epoch <= 3; ++epoch) {
    ASSERT_TRUE(store_->Append("a", Progress(epoch)).ok());
    ASSERT_TRUE(store_->Append("b", Progress(epoch)).ok());
  }
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Sequences("b", 2), ElementsAre(3, 4));
  EXPECT_THAT(Sequences("a", 1, 2), ElementsAre(2, 3));
  EXPECT_THAT(Sequences("a", 4), IsEmpty());
  EXPECT_THAT(Sequences("a", ~uint64_t{0}), IsEmpty());
}

TEST_F(SqliteJobStoreTest, EventsBringTheJobUpToDate) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::FromUnixSeconds(2000))).ok());
  ASSERT_TRUE(store_->Append("a", Progress(5)).ok());
  ASSERT_TRUE(store_->Append("a", StateEvent(v1::JOB_STATE_QUEUED, absl::FromUnixSeconds(3000))).ok());
  ASSERT_TRUE(store_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::FromUnixSeconds(4000))).ok());
  const v1::Job job = store_->Append("a", SucceededEvent(7, absl::FromUnixSeconds(5000))).value();
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.attempts(), 2);
  EXPECT_EQ(job.started().seconds(), 2000);
  EXPECT_EQ(job.finished().seconds(), 5000);
  EXPECT_EQ(job.progress().epochs_done(), 5);
  EXPECT_EQ(job.model_version(), 7);
}

TEST_F(SqliteJobStoreTest, AJobThatHasEndedStaysAsItIs) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Append("a", FailedEvent(absl::NotFoundError("no rows"), now_)).ok());
  const absl::Status status = store_->Append("a", StateEvent(v1::JOB_STATE_CANCELLED, now_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it is failed"));
  const v1::Job job = store_->Get("a").value();
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(job.error().message(), "no rows");
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2));
}

TEST_F(SqliteJobStoreTest, ListsNewestFirstByState) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store_->Create(id, Spec("digits"), now_).ok());
  ASSERT_TRUE(store_->Append("b", StateEvent(v1::JOB_STATE_RUNNING, now_)).ok());
  const auto ids = [this](v1::JobState state, int64_t limit) {
    std::vector<std::string> ids;
    const std::vector<v1::Job> jobs = store_->List(state, limit).value();
    for (const v1::Job& job : jobs) ids.push_back(job.id());
    return ids;
  };
  EXPECT_THAT(ids(v1::JOB_STATE_UNSPECIFIED, 100), ElementsAre("c", "b", "a"));
  EXPECT_THAT(ids(v1::JOB_STATE_UNSPECIFIED, 2), ElementsAre("c", "b"));
  EXPECT_THAT(ids(v1::JOB_STATE_QUEUED, 100), ElementsAre("c", "a"));
  EXPECT_THAT(ids(v1::JOB_STATE_FAILED, 100), IsEmpty());
  const JobCounts counts = store_->Count().value();
  EXPECT_EQ(counts.queued, 2);
  EXPECT_EQ(counts.running, 1);
  EXPECT_EQ(counts.failed, 0);
}

TEST_F(SqliteJobStoreTest, UnknownJobsAreNotFound) {
  EXPECT_EQ(store_->Get("x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Append("x", Progress(1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->EventsAfter("x", 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->Create("x", Spec("digits"), now_).ok()) << "a failed transaction must not stay open";
}

TEST_F(SqliteJobStoreTest, AFileThatIsNoDatabaseIsDataLoss) {
  directory_.Write("other.db", std::string(4096, 'x'));
  const absl::Status status = OpenSqliteJobStore(directory_.File("other.db")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("restore the file from a backup"));
}

TEST_F(SqliteJobStoreTest, ARecordThatCannotBeReadIsDataLoss) {
  ASSERT_TRUE(store_->Create("a", Spec("digits"), now_).ok());
  Sql("UPDATE jobs SET job = x'ffffffff'");
  EXPECT_EQ(store_->Get("a").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteJobStoreTest, AStoreOfALaterVersionIsRefused) {
  Sql("PRAGMA user_version = 99");
  const absl::Status status = OpenSqliteJobStore(Path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("schema version 99"));
}

TEST_F(SqliteJobStoreTest, ADirectoryThatIsNotThereIsUnavailable) {
  EXPECT_EQ(OpenSqliteJobStore(directory_.File("no/kwta.db")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SqliteJobStoreTest, WordsThatAreNotUtf8AreMadeSo) {
  auto store = OpenSqliteJobStore(Path()).value();
  ASSERT_TRUE(store->Create("a", {}, absl::Now()).ok());
  ASSERT_TRUE(store->Append("a", FailedEvent(absl::NotFoundError("no caf\xe9.png"), absl::Now())).ok());
  const std::vector<v1::Job> jobs = store->List(v1::JOB_STATE_UNSPECIFIED, 10).value();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].error().message(), "no caf\xEF\xBF\xBD.png");
}

TEST_F(SqliteJobStoreTest, ARecordThatCannotBeReadHidesNoOther) {
  {
    auto store = OpenSqliteJobStore(Path()).value();
    ASSERT_TRUE(store->Create("a", {}, absl::Now()).ok());
    ASSERT_TRUE(store->Create("b", {}, absl::Now()).ok());
  }
  ASSERT_TRUE(SqliteDatabase::Open(Path()).value()->Execute("UPDATE jobs SET job = x'ffff' WHERE id = 'a'").ok());
  auto store = OpenSqliteJobStore(Path()).value();
  const std::vector<v1::Job> jobs = store->List(v1::JOB_STATE_UNSPECIFIED, 10).value();
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].id(), "b");
  EXPECT_EQ(jobs[1].id(), "a");
  EXPECT_EQ(jobs[1].state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(jobs[1].error().code(), static_cast<int>(absl::StatusCode::kDataLoss));
  EXPECT_EQ(store->Get("a").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kwta::server

#include "server/jobs/sqlite_job_store.h"

#include <google/protobuf/util/message_differencer.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "server/jobs/job_events.h"
#include "server/jobs/sqlite.h"

namespace kwta::server {
namespace {

constexpr int64_t kSchemaVersion = 1;

// synchronous=FULL syncs the log at each commit, so an answered Train survives a power cut. NORMAL does not promise
// that in WAL mode. A job commits at most a few times a second, so nobody notices the cost.
constexpr char kSettings[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON;";

// The state is stored beside the message only for queries. `number` is the order of arrival.
constexpr char kSchema[] =
    "BEGIN;"
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL,"
    "                   job BLOB NOT NULL);"
    "CREATE INDEX jobs_by_state ON jobs (state, number);"
    "CREATE TABLE events (job INTEGER NOT NULL REFERENCES jobs (number), sequence INTEGER NOT NULL, event BLOB NOT "
    "NULL,"
    "                     PRIMARY KEY (job, sequence)) WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "COMMIT;";

// Rolls back unless it was committed.
class Transaction {
 public:
  explicit Transaction(SqliteDatabase& database) : database_(database) {}
  ~Transaction() {
    if (open_) database_.Execute("ROLLBACK").IgnoreError();
  }
  absl::Status Begin() {
    absl::Status status = database_.Execute("BEGIN IMMEDIATE");
    open_ = status.ok();
    return status;
  }
  absl::Status Commit() {
    absl::Status status = database_.Execute("COMMIT");
    if (status.ok()) open_ = false;
    return status;
  }

 private:
  SqliteDatabase& database_;
  bool open_ = false;
};

// Resets a statement at the end of its use, on every path.
class Use {
 public:
  explicit Use(SqliteStatement& statement) : statement_(statement) {}
  ~Use() { statement_.Reset(); }
  SqliteStatement* operator->() { return &statement_; }

 private:
  SqliteStatement& statement_;
};

template <typename Message>
absl::StatusOr<Message> Parse(absl::string_view bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the job store holds a record that cannot be read; restore the file from a backup");
  }
  return message;
}

class SqliteJobStore : public JobStore {
 public:
  explicit SqliteJobStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  absl::Status Prepare() {
    absl::MutexLock lock(&mutex_);
    const auto prepare = [this](const char* sql, SqliteStatement* statement)
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
      return absl::OkStatus();
    };
    KWTA_RETURN_IF_ERROR(prepare("SELECT number, job FROM jobs WHERE id = ?", &select_job_));
    KWTA_RETURN_IF_ERROR(prepare("INSERT INTO jobs (id, state, job) VALUES (?, ?, ?) RETURNING number", &insert_job_));
    KWTA_RETURN_IF_ERROR(prepare("UPDATE jobs SET state = ?, job = ? WHERE number = ?", &update_job_));
    KWTA_RETURN_IF_ERROR(prepare("INSERT INTO events (job, sequence, event) VALUES (?, ?, ?)", &insert_event_));
    KWTA_RETURN_IF_ERROR(prepare("SELECT job, state, id FROM jobs ORDER BY number DESC LIMIT ?", &list_all_));
    KWTA_RETURN_IF_ERROR(
        prepare("SELECT job, state, id FROM jobs WHERE state = ? ORDER BY number DESC LIMIT ?", &list_state_));
    KWTA_RETURN_IF_ERROR(prepare("SELECT state, COUNT(*) FROM jobs GROUP BY state", &count_));
    return prepare("SELECT event FROM events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                   &select_events_);
  }

  absl::StatusOr<Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) override {
    absl::MutexLock lock(&mutex_);
    Transaction transaction(*database_);
    KWTA_RETURN_IF_ERROR(transaction.Begin());
    absl::StatusOr<Row> row = Find(id);
    if (row.ok()) {
      if (!google::protobuf::util::MessageDifferencer::Equals(row->job.spec(), spec)) {
        return absl::AlreadyExistsError(absl::StrCat("job '", id,
                                                     "' exists with another spec; choose another job_id, or "
                                                     "repeat the request exactly to get that job"));
      }
      return Created{std::move(row->job), false};
    }
    if (!absl::IsNotFound(row.status())) return row.status();

    v1::JobEvent event = StateEvent(v1::JOB_STATE_QUEUED, now);
    Row fresh;
    fresh.job.set_id(id);
    *fresh.job.mutable_spec() = spec;
    *fresh.job.mutable_created() = event.time();
    KWTA_RETURN_IF_ERROR(ApplyEvent(&event, &fresh.job));
    {
      Use insert(insert_job_);
      insert->BindText(1, id);
      insert->BindInt(2, fresh.job.state());
      insert->BindBlob(3, fresh.job.SerializeAsString());
      KWTA_RETURN_IF_ERROR(insert->Step().status());
      fresh.number = insert->Int(0);
      KWTA_RETURN_IF_ERROR(insert->Step().status());
    }
    KWTA_RETURN_IF_ERROR(InsertEvent(fresh.number, event));
    KWTA_RETURN_IF_ERROR(transaction.Commit());
    return Created{std::move(fresh.job), true};
  }

  absl::StatusOr<v1::Job> Get(const std::string& id) override {
    absl::MutexLock lock(&mutex_);
    KWTA_ASSIGN_OR_RETURN(Row row, Find(id));
    return std::move(row.job);
  }

  absl::StatusOr<std::vector<v1::Job>> List(v1::JobState state, int64_t limit) override {
    absl::MutexLock lock(&mutex_);
    const bool all = state == v1::JOB_STATE_UNSPECIFIED;
    Use list(all ? list_all_ : list_state_);
    if (!all) list->BindInt(1, state);
    list->BindInt(all ? 1 : 2, limit);
    std::vector<v1::Job> jobs;
    for (;;) {
      KWTA_ASSIGN_OR_RETURN(const bool more, list->Step());
      if (!more) return jobs;
      absl::StatusOr<v1::Job> job = Parse<v1::Job>(list->Blob(0));
      if (!job.ok()) {
        // The other jobs can be read. List this one with the columns beside its record.
        v1::Job unreadable;
        unreadable.set_state(static_cast<v1::JobState>(list->Int(1)));
        unreadable.set_id(ToUtf8(list->Blob(2)));
        *unreadable.mutable_error() = ToFailure(job.status());
        job = std::move(unreadable);
      }
      jobs.push_back(*std::move(job));
    }
  }

  absl::StatusOr<JobCounts> Count() override {
    absl::MutexLock lock(&mutex_);
    Use count(count_);
    JobCounts counts;
    for (;;) {
      KWTA_ASSIGN_OR_RETURN(const bool more, count->Step());
      if (!more) return counts;
      const auto jobs = static_cast<uint32_t>(count->Int(1));
      switch (count->Int(0)) {
        case v1::JOB_STATE_QUEUED:
          counts.queued = jobs;
          break;
        case v1::JOB_STATE_RUNNING:
          counts.running = jobs;
          break;
        case v1::JOB_STATE_SUCCEEDED:
          counts.succeeded = jobs;
          break;
        case v1::JOB_STATE_FAILED:
          counts.failed = jobs;
          break;
        case v1::JOB_STATE_CANCELLED:
          counts.cancelled = jobs;
          break;
        default:
          break;
      }
    }
  }

  absl::StatusOr<v1::Job> Append(const std::string& id, v1::JobEvent event) override {
    absl::MutexLock lock(&mutex_);
    Transaction transaction(*database_);
    KWTA_RETURN_IF_ERROR(transaction.Begin());
    KWTA_ASSIGN_OR_RETURN(Row row, Find(id));
    KWTA_RETURN_IF_ERROR(ApplyEvent(&event, &row.job));
    KWTA_RETURN_IF_ERROR(InsertEvent(row.number, event));
    {
      Use update(update_job_);
      update->BindInt(1, row.job.state());
      update->BindBlob(2, row.job.SerializeAsString());
      update->BindInt(3, row.number);
      KWTA_RETURN_IF_ERROR(update->Step().status());
    }
    KWTA_RETURN_IF_ERROR(transaction.Commit());
    return std::move(row.job);
  }

  absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id, uint64_t after_sequence,
                                                        int64_t limit) override {
    absl::MutexLock lock(&mutex_);
    KWTA_ASSIGN_OR_RETURN(const Row row, Find(id));
    std::vector<v1::JobEvent> events;
    if (after_sequence >= row.job.last_sequence()) return events;
    Use select(select_events_);
    select->BindInt(1, row.number);
    select->BindInt(2, static_cast<int64_t>(after_sequence));
    select->BindInt(3, limit);
    for (;;) {
      KWTA_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) return events;
      KWTA_ASSIGN_OR_RETURN(events.emplace_back(), Parse<v1::JobEvent>(select->Blob(0)));
    }
  }

 private:
  struct Row {
    int64_t number = 0;
    v1::Job job;
  };

  absl::StatusOr<Row> Find(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Use select(select_job_);
    select->BindText(1, id);
    KWTA_ASSIGN_OR_RETURN(const bool found, select->Step());
    if (!found) {
      return absl::NotFoundError(
          absl::StrCat("job '", id, "' does not exist; ListJobs or 'kwta jobs' lists those there are"));
    }
    Row row;
    row.number = select->Int(0);
    KWTA_ASSIGN_OR_RETURN(row.job, Parse<v1::Job>(select->Blob(1)));
    return row;
  }

  absl::Status InsertEvent(int64_t number, const v1::JobEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Use insert(insert_event_);
    insert->BindInt(1, number);
    insert->BindInt(2, static_cast<int64_t>(event.sequence()));
    insert->BindBlob(3, event.SerializeAsString());
    return insert->Step().status();
  }

  absl::Mutex mutex_;
  const std::unique_ptr<SqliteDatabase> database_ ABSL_PT_GUARDED_BY(mutex_);
  SqliteStatement select_job_ ABSL_GUARDED_BY(mutex_), insert_job_ ABSL_GUARDED_BY(mutex_),
      update_job_ ABSL_GUARDED_BY(mutex_), insert_event_ ABSL_GUARDED_BY(mutex_), list_all_ ABSL_GUARDED_BY(mutex_),
      list_state_ ABSL_GUARDED_BY(mutex_), count_ ABSL_GUARDED_BY(mutex_), select_events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path));
  KWTA_RETURN_IF_ERROR(database->Execute(kSettings));
  int64_t version = 0;
  {
    KWTA_ASSIGN_OR_RETURN(SqliteStatement statement, database->Prepare("PRAGMA user_version"));
    KWTA_RETURN_IF_ERROR(statement.Step().status());
    version = statement.Int(0);
  }
  if (version == 0) {
    KWTA_RETURN_IF_ERROR(database->Execute(kSchema));
  } else if (version != kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", path, "' has schema version ", version, ", this kwta-server knows version ", kSchemaVersion,
                     "; use the kwta-server that wrote it, or another state directory"));
  }
  auto store = std::make_unique<SqliteJobStore>(std::move(database));
  KWTA_RETURN_IF_ERROR(store->Prepare());
  return store;
}

}  // namespace kwta::server

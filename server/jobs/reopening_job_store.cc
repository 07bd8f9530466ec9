#include "server/jobs/reopening_job_store.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kBetweenOpenings = absl::Seconds(1);

class ReopeningJobStore final : public JobStore {
 public:
  explicit ReopeningJobStore(std::function<absl::StatusOr<std::unique_ptr<JobStore>>()> open)
      : open_(std::move(open)) {}

  absl::StatusOr<Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->Create(id, spec, now);
  }
  absl::StatusOr<v1::Job> Get(const std::string& id) override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->Get(id);
  }
  absl::StatusOr<std::vector<v1::Job>> List(v1::JobState state, int64_t limit) override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->List(state, limit);
  }
  absl::StatusOr<JobCounts> Count() override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->Count();
  }
  absl::StatusOr<v1::Job> Append(const std::string& id, v1::JobEvent event) override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->Append(id, std::move(event));
  }
  absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id, uint64_t after_sequence,
                                                        int64_t limit) override {
    KWTA_ASSIGN_OR_RETURN(JobStore * store, Opened());
    return store->EventsAfter(id, after_sequence, limit);
  }

 private:
  absl::StatusOr<JobStore*> Opened() {
    absl::MutexLock lock(&mutex_);
    if (store_ != nullptr) return store_.get();
    const SteadyTime now = SteadyTime::Now();
    if (now >= next_opening_) {
      next_opening_ = now + kBetweenOpenings;
      absl::StatusOr<std::unique_ptr<JobStore>> opened = open_();
      if (opened.ok()) {
        store_ = *std::move(opened);
        return store_.get();
      }
      failure_ = absl::Status(opened.status().code(),
                              absl::StrCat("the job store cannot be opened: ", opened.status().message()));
    }
    return failure_;
  }

  const std::function<absl::StatusOr<std::unique_ptr<JobStore>>()> open_;
  absl::Mutex mutex_;
  std::unique_ptr<JobStore> store_ ABSL_GUARDED_BY(mutex_);  // once set, it stays
  SteadyTime next_opening_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<JobStore> OpenWhenPossible(std::function<absl::StatusOr<std::unique_ptr<JobStore>>()> open) {
  return std::make_unique<ReopeningJobStore>(std::move(open));
}

}  // namespace kwta::server
